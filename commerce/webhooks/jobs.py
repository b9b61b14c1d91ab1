"""The job of webhooks: one for each attempt of a delivery, which makes the next one itself."""

from datetime import timedelta

from pydantic import BaseModel

from commerce.webhooks.delivering import Deliverer
from commerce.webhooks.lanes import Enqueue
from commerce.webhooks.sending import Sender
from core.database import WriteSession
from core.jobs.jobs import Jobs
from core.jobs.registry import job, queue
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


def enqueuer(jobs: Jobs) -> Enqueue:
    async def enqueue(session: WriteSession, delivery_id: str, dispatch: int, delay: timedelta) -> None:
        args = DeliverWebhook(delivery_id=delivery_id, dispatch=dispatch)
        await jobs.enqueue(session, deliver_webhook, args, dedup_key=f"{delivery_id}:{dispatch}", delay=delay)

    return enqueue
