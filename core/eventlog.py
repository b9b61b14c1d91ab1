"""The event log: what happened, in the order of its committing, in one SQL table with one cursor.

A change appends its events in its own transaction, as the last thing that it does. Positions follow the order of
commits: on SQLite because there is one writer at a time, on PostgreSQL because a transaction that appends holds a lock
until it has committed (docs/adr/0006). A reader that remembers the last position it saw misses nothing.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CursorResult,
    Index,
    Integer,
    String,
    delete,
    func,
    select,
    text,
    update,
)
from sqlalchemy.orm import Mapped, mapped_column

from core import tracing
from core.bulk import insert_rows
from core.database import Base, Database, ReadSession, WriteSession, announce, note_changes, table_of
from core.errors import FieldError, Gone
from core.pagination import InvalidCursor
from core.repository import Repository

RETENTION = timedelta(days=30)
TOPIC = "events"  # of the hub, when there are new ones
MAX_LIMIT = 1000
_TRIMMED_AT_ONCE = 10_000  # SQLite's other writers wait meanwhile
_LOCK = 7205759404  # of pg_advisory_xact_lock; the migrations' is the one before
# How long its holder may be silent: less than others wait for it (`core.postgresql`). One that froze, or was cut off
# from the database, then loses its transaction, and nobody else is refused.
_HOLD_MS = 3000
_HOLD = text(
    f"SELECT set_config('idle_in_transaction_session_timeout', '{_HOLD_MS}', true), pg_advisory_xact_lock({_LOCK})"
)
_PREFIX = "evt_"
_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base32, whose order is that of ASCII
_WIDTH = 13  # holds 64 bits
_ID = re.compile(rf"{_PREFIX}([{_DIGITS}]{{{_WIDTH}}})")


class CursorTooOld(Gone):
    """Events after this cursor are no longer kept. Read the resources themselves, then follow the newest event."""

    code = "reset"
    title = "Cursor too old"


class EventRow(Base):
    __tablename__ = "events"
    __table_args__ = (Index("ix_events_subject", "subject", "position"), {"sqlite_autoincrement": True})

    position: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True
    )
    type: Mapped[str] = mapped_column(String)
    subject: Mapped[str] = mapped_column(String)
    time: Mapped[datetime]
    data: Mapped[dict[str, Any]]
    visibility: Mapped[str] = mapped_column(String)
    owner_id: Mapped[str | None] = mapped_column(String)
    origin: Mapped[str | None] = mapped_column(String)  # core.tracing


class EventLogStateRow(Base):
    """One row: up to which position the log has been trimmed."""

    __tablename__ = "event_log_state"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    trimmed_to: Mapped[int] = mapped_column(BigInteger)


@dataclass(frozen=True, slots=True)
class NewEvent:
    """Something that happened. `visibility` and `owner_id` say who may see it; the domain gives them meaning."""

    type: str
    subject: str
    data: dict[str, Any]
    visibility: str
    owner_id: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    position: int
    type: str
    subject: str
    time: datetime
    data: dict[str, Any]
    visibility: str
    owner_id: str | None
    origin: str | None = None

    @property
    def id(self) -> str:
        return event_id(self.position)


_COLUMNS = [getattr(EventRow, field.name) for field in fields(Event)]


def event_id(position: int) -> str:
    """`evt_` and the position in base 32, of fixed width: ids sort as the log does."""
    return _PREFIX + "".join(_DIGITS[position >> shift & 31] for shift in range(5 * (_WIDTH - 1), -1, -5))


def position_of(cursor: str, pointer: str = "/query/after") -> int:
    """0, before the first event, is a position too. Raises InvalidCursor, with the place where the cursor came from."""
    match = _ID.fullmatch(cursor)
    position = sum(_DIGITS.index(digit) << 5 * place for place, digit in enumerate(reversed(match[1]))) if match else -1
    if not 0 <= position < 2**63:
        fault = FieldError(pointer, "invalid_cursor", "not the id of an event")
        raise InvalidCursor(errors=(fault,))
    return position


async def append(session: WriteSession, events: Sequence[NewEvent], now: datetime) -> None:
    """Adds events in the session's transaction. Call it last: on PostgreSQL it holds back every other writer of the log
    until this transaction ends.
    """
    if not events:
        return
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(_HOLD)
    with tracing.part(f"append {events[0].type}", "producer", portico__events=len(events)):
        await _insert(session, events, now)
    note_changes(session, ((event.type, event.subject) for event in events))
    announce(session, TOPIC)


async def _insert(session: WriteSession, events: Sequence[NewEvent], now: datetime) -> None:
    origin = tracing.origin()
    rows = [
        {
            "type": event.type,
            "subject": event.subject,
            "time": now,
            "data": event.data,
            "visibility": event.visibility,
            "owner_id": event.owner_id,
            "origin": origin,
        }
        for event in events
    ]
    await insert_rows(session, table_of(EventRow), rows)


async def newest_position(database: Database) -> int:
    """Of the newest event that is committed. Raises DatabaseUnavailable."""
    async with database.read() as session:
        return await EventLog(session).newest()


async def trim(session: WriteSession, before: datetime) -> int:
    """Forgets events that are older, the oldest ten thousand of them; returns how many, 0 when none is left. Cursors
    that point before them become too old.
    """
    oldest = await session.scalar(select(func.min(EventRow.position)))
    newest = await session.scalar(select(func.max(EventRow.position)))
    if oldest is None or newest is None:
        return 0
    last = min(newest, oldest - 1 + _TRIMMED_AT_ONCE)
    # By position and not by time: a clock that once was wrong must not take the log with it.
    young = select(func.min(EventRow.position)).where(EventRow.position <= last, EventRow.time >= before)
    first_kept = await session.scalar(young)
    trimmed_to = first_kept - 1 if first_kept is not None else last
    gone: CursorResult[Any] = await session.execute(delete(EventRow).where(EventRow.position <= trimmed_to))  # type: ignore[assignment]
    await session.execute(
        update(EventLogStateRow).where(EventLogStateRow.trimmed_to < trimmed_to).values(trimmed_to=trimmed_to)
    )
    return gone.rowcount


class EventLog(Repository):
    """Per session."""

    def __init__(self, session: ReadSession) -> None:
        super().__init__(session)

    async def after(
        self, cursor: str | None, *, visible: ColumnElement[bool], types: Collection[str] = (), limit: int = 100
    ) -> tuple[list[Event], bool]:
        """Events after the one with this id, or from the oldest that is kept; and whether there are more.

        Raises InvalidCursor, and CursorTooOld where events after the cursor are gone, or the log was restored from a
        backup that does not reach the cursor.
        """
        position = position_of(cursor) if cursor is not None else 0
        statement = select(*_COLUMNS).where(EventRow.position > position, visible).order_by(EventRow.position)
        if types:
            statement = statement.where(EventRow.type.in_(types))
        rows = (await self._session.execute(statement.limit(limit + 1))).all()
        if cursor is not None:
            # After the events: what is trimmed between the two statements would be missing and not be missed.
            await self._require_kept(position)
        return [Event(*row) for row in rows[:limit]], len(rows) > limit

    async def following(self, position: int, limit: int) -> list[Event]:
        """Whoever may see them: the next events after a position that are kept."""
        statement = select(*_COLUMNS).where(EventRow.position > position).order_by(EventRow.position).limit(limit)
        return [Event(*row) for row in await self._session.execute(statement)]

    async def lag(self, position: int) -> tuple[int, datetime | None]:
        """How many events follow a position, and the time of the first of them."""
        statement = select(func.count(), func.min(EventRow.time)).where(EventRow.position > position)
        row = (await self._session.execute(statement)).one()
        return row[0], row[1]

    async def newest(self) -> int:
        """The position of the newest event, trimmed or not; 0 where there was none yet."""
        return (await self._edges())[1]

    async def _require_kept(self, position: int) -> None:
        trimmed_to, newest = await self._edges()
        if position < trimmed_to:
            raise CursorTooOld("events after this cursor are no longer kept")
        if position > newest:
            raise CursorTooOld("the log does not reach this cursor: it was restored from a backup")

    async def _edges(self) -> tuple[int, int]:
        """Up to where the log is trimmed, and where it ends."""
        newest = select(func.max(EventRow.position)).scalar_subquery()
        row = (await self._session.execute(select(EventLogStateRow.trimmed_to, newest))).one()
        return row[0], max(row[0], row[1] or 0)
