"""What is forgotten when it is old: one task beside the requests, in every server."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime

import structlog

from commerce.accounts import sign_in
from commerce.webhooks import redelivery
from core import eventlog, idempotency
from core.database import WriteSession
from core.errors import Unavailable
from core.resources import Resources

log = structlog.get_logger("portico.housekeeping")

# Forgets, in the session's transaction, what is too old at that moment. One that does it by parts returns how much it
# was, and is called until that is nothing.
Chore = Callable[[WriteSession, datetime], Awaitable[int | None]]
Pause = Callable[[float], Awaitable[None]]
CHORES: Mapping[str, Chore] = {
    "events": lambda session, now: eventlog.trim(session, now - eventlog.RETENTION),
    "idempotency_keys": idempotency.forget_expired,
    "sign_ins": sign_in.forget_expired,
    "webhook_deliveries": lambda session, now: redelivery.forget_old(session, now - redelivery.RETENTION),
}
_BETWEEN_SECONDS = 3600


@asynccontextmanager
async def housekeeping(
    resources: Resources, *, chores: Mapping[str, Chore] = CHORES, pause: Pause = asyncio.sleep
) -> AsyncIterator[None]:
    """Goes on while the block runs; nothing that goes wrong in it ends the server."""
    task = asyncio.create_task(_keep(resources, chores, pause))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _keep(resources: Resources, chores: Mapping[str, Chore], pause: Pause) -> None:
    # Not at the start, which is for requests, and not in all servers of a host at once.
    await pause(random.uniform(30, 90))  # noqa: S311  no secret
    while True:
        await _round(resources, chores)
        await pause(_BETWEEN_SECONDS)


async def _round(resources: Resources, chores: Mapping[str, Chore]) -> None:
    for name, chore in chores.items():
        try:
            await _do(chore, resources)
        except Unavailable as error:
            log.warning("housekeeping_put_off", chore=name, reason=error.code)
            return
        except Exception:  # the server goes on, and so do the other chores
            log.exception("housekeeping_failed", chore=name)


async def _do(chore: Chore, resources: Resources) -> None:
    left = True
    while left:
        async with resources.database.write() as session:
            left = bool(await chore(session, resources.clock.now()))
