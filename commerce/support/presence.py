"""Who is in a room at this moment, over all processes: a row for each connection, renewed by the process that has it.

Whoever enters and leaves is told to the room's connections at once, by a wake-up, and else by the next look. A process
that is killed leaves its rows behind; the others remove what has not been renewed for a while.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from types import TracebackType
from typing import Any, Literal, Self

import structlog
from sqlalchemy import ColumnElement, CursorResult, Table, delete, select, update

from commerce.support.entities import Person
from commerce.support.models import PresenceRow
from core.bulk import insert_missing
from core.clock import Clock
from core.database import Database, WriteSession, announce
from core.hub import Hub
from core.ids import new_id
from core.recurring import Recurring
from core.repository import parameter_chunks

log = structlog.get_logger("portico.presence")
LIFETIME = timedelta(seconds=45)  # of a row that is not renewed; hosts' clocks differ by less
_TABLE: Table = PresenceRow.__table__  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class Change:
    """A person with several connections joins with the first and leaves with the last."""

    room: str
    who: Person
    state: Literal["joined", "left"]


Tell = Callable[[Change], None]


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between two looks without a wake-up, between two renewals, and until what failed is tried again."""

    look: float = 5.0
    renew: float = 10.0
    again: float = 2.0


@dataclass(eq=False)
class _Connection:
    """Of this process. `entered` is done when its row is there and its room was looked at; `listening` is set when it
    has been given what was found.
    """

    room: str
    who: Person
    tell: Tell
    since: datetime
    entered: asyncio.Future[None]
    id: str = field(default_factory=lambda: new_id("con"))
    listening: bool = False


@dataclass(eq=False)
class _Place:
    """A room where this process has connections. `present` is what they were told, by id."""

    unsubscribe: Callable[[], None]
    present: dict[str, Person] = field(default_factory=dict)
    connections: set[_Connection] = field(default_factory=set)

    def see(self, room: str, present: dict[str, Person]) -> None:
        before, self.present = self.present, present
        joined = [Change(room, who, "joined") for who in present.values() if who.id not in before]
        left = [Change(room, who, "left") for who in before.values() if who.id not in present]
        for connection in [each for each in self.connections if each.listening]:
            for change in (*left, *joined):
                try:
                    connection.tell(change)
                except Exception:  # the others are not to miss it
                    log.exception("presence_not_told", room=room)


class Presence:
    """`async with Presence(database, clock, hub) as presence:` One per process. One task reads and writes the table for
    all its connections: many that come at once are few statements, and one that leaves waits for nothing.
    """

    def __init__(self, database: Database, clock: Clock, hub: Hub, *, pace: Pace | None = None) -> None:
        self._database = database
        self._clock = clock
        self._hub = hub
        self._pace = pace or Pace()
        self._process = new_id("proc")
        self._places: dict[str, _Place] = {}
        self._coming: list[_Connection] = []
        self._going: list[_Connection] = []
        self._stale: set[str] = set()  # rooms to look at
        self._keeping = Recurring("presence", self._keep_up, again_seconds=self._pace.again)
        self._renewed_at = 0.0  # by the loop's time
        self._wrote = False

    async def __aenter__(self) -> Self:
        await self._keeping.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._keeping.__aexit__(kind, error, trace)
        if self._wrote:
            await self._clear()

    async def _clear(self) -> None:
        try:
            async with self._database.write() as session:
                await _delete(session, PresenceRow.process == self._process)
        except Exception as error:  # noqa: BLE001  the rows end by themselves too, and the server must
            log.warning("presence_not_cleared", reason=f"{type(error).__name__}: {error}")

    @asynccontextmanager
    async def attend(self, room: str, who: Person, tell: Tell) -> AsyncIterator[list[Person]]:
        """Is in the room, and has who is there now, itself among them. `tell` is called in the event loop with what
        changes after that, and must not wait. Raises DatabaseUnavailable.
        """
        entered = asyncio.get_running_loop().create_future()
        connection = _Connection(room, who, tell, self._clock.now(), entered)
        place = self._place(room)
        place.connections.add(connection)
        self._coming.append(connection)
        self._keeping.wake()
        try:
            await entered
            connection.listening = True
            yield list(place.present.values())
        finally:
            self._leave(place, connection)

    def _place(self, room: str) -> _Place:
        if room not in self._places:
            self._places[room] = _Place(self._hub.subscribe(_topic(room), partial(self._wake, room)))
        return self._places[room]

    def _leave(self, place: _Place, connection: _Connection) -> None:
        """Its row goes soon. Nothing is awaited: a task that is cancelled comes by here too."""
        place.connections.remove(connection)
        if not place.connections:
            place.unsubscribe()
            del self._places[connection.room]
        self._going.append(connection)
        self._wake(connection.room)

    def _wake(self, room: str) -> None:
        self._stale.add(room)
        self._keeping.wake()

    async def _keep_up(self) -> float:
        """One round: writes what has changed here, tells what has changed anywhere, waits for more."""
        coming, self._coming = self._coming, []
        going, self._going = self._going, []
        try:
            await self._write(coming, going)
            stale, self._stale = self._stale | {each.room for each in coming}, set()
            await self._look(stale)
        except Exception as error:
            self._going += going
            self._stale.update(self._places)
            _finish(coming, error)
            raise
        _finish(coming)
        if not await self._keeping.rest(self._pace.look if self._places else None):
            self._stale.update(self._places)
        return 0.0

    async def _write(self, coming: Sequence[_Connection], going: Sequence[_Connection]) -> None:
        held = [connection for place in self._places.values() for connection in place.connections]
        due = bool(held) and time.monotonic() - self._renewed_at >= self._pace.renew
        if not (coming or going or due):
            return
        now = self._clock.now()
        async with self._database.write() as session:
            await self._insert(session, coming, now)
            if going:
                await _delete(session, PresenceRow.id.in_([each.id for each in going]))
            if due:
                await self._renew(session, held, now)
        if due:
            self._renewed_at = time.monotonic()

    async def _renew(self, session: WriteSession, held: Sequence[_Connection], now: datetime) -> None:
        """One statement for all connections. After a long sleep of this process, others have taken its rows away."""
        own = update(PresenceRow).where(PresenceRow.process == self._process).values(seen_at=now)
        renewed: CursorResult[Any] = await session.execute(own)  # type: ignore[assignment]
        if renewed.rowcount < len(held):
            await self._insert(session, held, now)
        await _delete(session, PresenceRow.seen_at < now - LIFETIME)

    async def _insert(self, session: WriteSession, connections: Sequence[_Connection], now: datetime) -> None:
        rows = [
            {
                "id": each.id,
                "process": self._process,
                "room": each.room,
                "person_id": each.who.id,
                "name": each.who.name,
                "is_staff": each.who.is_staff,
                "since": each.since,
                "seen_at": now,
            }
            for each in connections
        ]
        await insert_missing(session, _TABLE, rows)
        self._wrote = True
        for each in connections:
            announce(session, _topic(each.room))

    async def _look(self, stale: Collection[str]) -> None:
        rooms = [room for room in stale if room in self._places]
        if not rooms:
            return
        columns = PresenceRow.room, PresenceRow.person_id, PresenceRow.name, PresenceRow.is_staff
        found: dict[str, dict[str, Person]] = {room: {} for room in rooms}
        async with self._database.read() as session:
            for some in parameter_chunks(rooms):
                of_rooms = select(*columns).where(PresenceRow.room.in_(some))
                of_rooms = of_rooms.order_by(PresenceRow.since, PresenceRow.id)
                for row in await session.execute(of_rooms):
                    found[row.room].setdefault(row.person_id, Person(row.person_id, row.name, row.is_staff))
        for room, present in found.items():
            if room in self._places:
                self._places[room].see(room, present)


async def _delete(session: WriteSession, which: ColumnElement[bool]) -> None:
    for room in await session.scalars(delete(PresenceRow).where(which).returning(PresenceRow.room)):
        announce(session, _topic(room))


def _finish(connections: Sequence[_Connection], error: Exception | None = None) -> None:
    for each in connections:
        if not each.entered.done():  # as it is where its task was cancelled
            each.entered.set_exception(error) if error is not None else each.entered.set_result(None)


def _topic(room: str) -> str:
    return f"presence:{room}"
