"""The job that forgets: events, idempotency keys, answers of the assistant, quotes, sign-ins, finished jobs, their
files, images nobody shows.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

import structlog

from commerce.accounts import sign_in, tickets
from commerce.assistant import storage as assistant
from commerce.feedback import repository as feedback
from commerce.flags.repository import forget_expired
from commerce.media.orphans import remove_orphans
from commerce.receipts import repository as receipts
from commerce.shipping import quotes
from commerce.usage.repository import forget_unused
from commerce.webhooks import redelivery
from core import eventlog, idempotency
from core.database import WriteSession
from core.errors import Unavailable
from core.jobs.registry import Tick, queue, scheduled
from core.jobs.run import JobRun
from core.resources import Resources

log = structlog.get_logger("portico.upkeep")
UPKEEP = queue("upkeep", per_process=1, overall=1).name
JOBS_KEPT = timedelta(days=30)
DRAFTS_KEPT = timedelta(days=1)  # longer than any file takes to become whole

# Forgets, in the session's transaction, what is too old at that moment. One that does it by parts returns how much it
# was, and is called until that is nothing.
Chore = Callable[[WriteSession, datetime], Awaitable[int | None]]
CHORES: Mapping[str, Chore] = {
    "events": lambda session, now: eventlog.trim(session, now - eventlog.RETENTION),
    "idempotency_keys": idempotency.forget_expired,
    "shipping_quotes": lambda session, now: quotes.forget_old(session, now - quotes.RETENTION),
    "sign_ins": sign_in.forget_expired,
    "tickets": tickets.forget_expired,
    "uses": forget_unused,
    "receipts": receipts.forget_old,
    "feedback": feedback.forget_old,
    "flags": forget_expired,
    "assistant_runs": lambda session, now: assistant.forget_old(session, now - assistant.KEPT),
    "webhook_deliveries": lambda session, now: redelivery.forget_old(session, now - redelivery.RETENTION),
}


@scheduled("upkeep.forget", cron="17 * * * *", queue=UPKEEP, timeout_seconds=1800)
async def forget_old(run: JobRun, _tick: Tick) -> None:
    await forget(run.resources)


async def forget(resources: Resources, chores: Mapping[str, Chore] = CHORES) -> None:
    """All that is too old. What fails keeps no other from being done; the first failure is raised in the end.

    While the database is away all is put off. Raises Unavailable.
    """
    work = {name: _chore(resources, chore) for name, chore in chores.items()}
    work |= {
        "jobs": lambda: _jobs(resources),
        "files": lambda: _files(resources),
        "images": lambda: _images(resources),
    }
    failed: Exception | None = None
    for name, do in work.items():
        try:
            await do()
        except Unavailable:
            raise
        except Exception as error:
            log.exception("upkeep_failed", chore=name)
            failed = failed or error
    if failed is not None:
        raise failed


def _chore(resources: Resources, chore: Chore) -> Callable[[], Awaitable[None]]:
    async def do() -> None:
        left = True
        while left:
            async with resources.database.write() as session:
                left = bool(await chore(session, resources.clock.now()))

    return do


async def _jobs(resources: Resources) -> None:
    await resources.jobs.forget_finished(resources.clock.now() - JOBS_KEPT)


async def _images(resources: Resources) -> None:
    await remove_orphans(resources.database, resources.objects, resources.clock.now())


async def _files(resources: Resources) -> None:
    """Of imports and reports, a day after the jobs that they belong to; and what never became whole."""
    objects, now = resources.objects, resources.clock.now()
    for prefix in ("imports", "reports"):
        async for found in objects.list(prefix):
            if found.modified < now - JOBS_KEPT - DRAFTS_KEPT:
                await objects.delete(found.key)
    await objects.forget_unfinished(now - DRAFTS_KEPT)
