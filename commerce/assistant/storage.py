"""Every write of runs. Callers own the transaction; nothing here commits."""

from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, Row, delete, insert, select, update

from commerce.assistant.commands import Ask
from commerce.assistant.endings import End, NewEvent, Spent, answered, failed, provenance_of, told
from commerce.assistant.entities import Corrections
from commerce.assistant.errors import RunInterrupted
from commerce.assistant.models import RunEventRow, RunRow
from core.database import WriteSession, announce
from core.inference.provenance import Provenance

KEPT = timedelta(days=7)  # for who comes back to the page, and no longer: people write of themselves
CANCELS = "assistant-cancels"  # of the hub, when somebody wants a run to end
_ALIVE = ("queued", "running")
_SWEPT_AT_ONCE = 100
_DEAD = (RunRow.id, RunRow.cancel_asked, RunRow.prompt_tokens, RunRow.completion_tokens, RunRow.provenance)


class LostRun(Exception):
    """The run is not ours to write any more: its lease was over and somebody ended it, or it was forgotten."""


def topic_of(run_id: str) -> str:
    """Of the hub, when the run has said something or has ended."""
    return f"assistant:{run_id}"


async def create(
    session: WriteSession, run_id: str, ask: Ask, owner: str | None, *, runner: str, now: datetime, lease: timedelta
) -> None:
    values = {
        "id": run_id,
        "owner": owner,
        "state": "queued",
        "request": asdict(ask),
        "provenance": None,
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "events": 0,
        "error_code": None,
        "cancel_asked": False,
        "runner": runner,
        "lease_until": now + lease,
        "created_at": now,
        "ended_at": None,
    }
    await session.execute(insert(RunRow).values(values))


async def begin(session: WriteSession, run_id: str, runner: str) -> None:
    """Raises LostRun."""
    await _write(session, _ours(run_id, runner), {"state": "running"})


async def append(
    session: WriteSession,
    run_id: str,
    runner: str,
    said: Sequence[NewEvent],
    *,
    spent: Spent,
    provenance: Provenance | None,
    end: End | None = None,
    now: datetime,
) -> None:
    """What the run says next, with the next numbers; with `end` it is over. All or nothing. Raises LostRun."""
    events = [*said, *([end.event] if end is not None else [])]
    values: dict[str, Any] = {
        "events": RunRow.events + len(events),
        "prompt_tokens": spent.prompt,
        "completion_tokens": spent.completion,
        "provenance": told(provenance) if provenance is not None else None,
    }
    if end is not None:
        values |= {"state": end.state, "ended_at": now, "error_code": end.error_code}
    await _say(session, run_id, await _write(session, _ours(run_id, runner), values), events)


async def ask_to_cancel(session: WriteSession, run_id: str) -> None:
    """Whoever runs it is told; a run that has ended stays as it is."""
    alive = RunRow.id == run_id, RunRow.state.in_(_ALIVE)
    await session.execute(update(RunRow).where(*alive).values(cancel_asked=True))
    announce(session, CANCELS)


async def renew(session: WriteSession, run_ids: Collection[str], until: datetime) -> None:
    """The lease of what the process runs, and not of what it could not end."""
    alive = RunRow.id.in_(run_ids), RunRow.state.in_(_ALIVE)
    await session.execute(update(RunRow).where(*alive).values(lease_until=until))


async def sweep(session: WriteSession, now: datetime) -> list[str]:
    """Ends runs whose process has died, and those that are nobody's. Returns their ids."""
    expired = select(*_DEAD).where(RunRow.state.in_(_ALIVE), RunRow.lease_until < now)
    rows = await session.execute(
        expired.order_by(RunRow.lease_until).limit(_SWEPT_AT_ONCE).with_for_update(skip_locked=True)
    )
    found = rows.all()
    for row in found:
        end = _end_of_dead(row)
        values = {
            "events": RunRow.events + 1,
            "state": end.state,
            "ended_at": now,
            "error_code": end.error_code,
        }
        await _say(session, row.id, await _write(session, (RunRow.id == row.id,), values), [end.event])
    return [row.id for row in found]


def _end_of_dead(row: Row[Any]) -> End:
    if not row.cancel_asked:
        return failed(RunInterrupted())
    spent = Spent(row.prompt_tokens, row.completion_tokens)
    return answered("cancelled", spent, provenance_of(row.provenance), Corrections())


async def forget_old(session: WriteSession, before: datetime) -> int:
    """A thousand at a time; returns how many."""
    old = select(RunRow.id).where(RunRow.created_at < before).limit(1_000)
    result: CursorResult[Any] = await session.execute(delete(RunRow).where(RunRow.id.in_(old)))  # type: ignore[assignment]
    return result.rowcount


async def forget_of(session: WriteSession, owners: Collection[str]) -> None:
    """All that these principals, by name, have asked."""
    await session.execute(delete(RunRow).where(RunRow.owner.in_(owners)))


def _ours(run_id: str, runner: str) -> tuple[ColumnElement[bool], ...]:
    return RunRow.id == run_id, RunRow.runner == runner, RunRow.state.in_(_ALIVE)


async def _write(session: WriteSession, which: Sequence[ColumnElement[bool]], values: dict[str, Any]) -> int:
    """Holds the run's lock, so that numbers are committed in order. Returns the number of the last event."""
    written = update(RunRow).where(*which).values(values).returning(RunRow.events)
    last: int | None = await session.scalar(written)
    if last is None:
        raise LostRun
    return last


async def _say(session: WriteSession, run_id: str, last: int, events: Sequence[NewEvent]) -> None:
    first = last - len(events) + 1
    rows = [
        {"run_id": run_id, "number": number, "type": kind, "data": data}
        for number, (kind, data) in enumerate(events, first)
    ]
    if rows:
        await session.execute(insert(RunEventRow), rows)
    announce(session, topic_of(run_id))
