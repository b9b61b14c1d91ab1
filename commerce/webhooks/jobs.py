"""The job of webhooks: one for each attempt of a delivery, which makes the next one itself."""

from datetime import timedelta

from pydantic import BaseModel

from commerce.webhooks.delivering import Deliverer
from commerce.webhooks.lanes import Enqueue
from commerce.webhooks.sending import Sender
from commerce.webhooks.sweeping import reschedule_orphans
from core.database import WriteSession
from core.jobs.jobs import Jobs
from core.jobs.registry import Tick, job, queue, scheduled
from core.jobs.run import JobRun
from core.outbound import GuardedNetwork

queue("webhooks", per_process=32)  # they mostly wait for others


class DeliverWebhook(BaseModel):
    delivery_id: str
    dispatch: int


# Retries of the delivery are jobs of their own: these are for what goes wrong on our side.
@job("webhook.deliver", queue="webhooks", max_attempts=20, timeout_seconds=60)
async def deliver_webhook(run: JobRun, args: DeliverWebhook) -> None:
    resources = run.resources
    network = GuardedNetwork(allow_private=not resources.settings.is_production)
    enqueue = enqueuer(resources.jobs)
    deliverer = Deliverer(run.transaction, resources.clock, resources.keyring, Sender(network), enqueue)
    await deliverer.attempt(args.delivery_id, args.dispatch)


@scheduled("webhook.sweep", cron="*/5 * * * *", queue="webhooks")
async def sweep_webhooks(run: JobRun, _tick: Tick) -> dict[str, int]:
    """Until there are no more: a transaction of each part."""
    resources, found = run.resources, 0
    while True:
        async with run.transaction() as session:
            now = resources.clock.now()
            part = await reschedule_orphans(session, deliver_webhook.name, enqueuer(resources.jobs), now)
        if not part:
            return {"rescheduled": found}
        found += part


def enqueuer(jobs: Jobs) -> Enqueue:
    async def enqueue(
        session: WriteSession, delivery_id: str, dispatch: int, delay: timedelta, origin: str | None
    ) -> None:
        args, key = DeliverWebhook(delivery_id=delivery_id, dispatch=dispatch), f"{delivery_id}:{dispatch}"
        await jobs.enqueue(session, deliver_webhook, args, dedup_key=key, delay=delay, origin=origin)

    return enqueue
