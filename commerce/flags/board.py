"""Flags as requests ask for them: in memory, so that none waits for the database."""

from asyncio import timeout
from types import TracebackType

from commerce.flags.entities import Flag
from commerce.flags.errors import SwitchedOff
from commerce.flags.repository import FlagRepository
from commerce.flags.rules import why_always_on
from commerce.flags.service import FLAGS
from core.clock import Clock
from core.database import Database
from core.errors import Unavailable
from core.hub import Hub
from core.looking import Looking
from core.single_flight import SingleFlight

_LOOK_SECONDS = 2.0
_PATIENCE_SECONDS = 1.0  # that a request has, after a change, for a database that is slow


class FlagBoard(Looking):
    """`async with FlagBoard(...) as flags:` One per process. It looks at once when a flag was changed here, when it is
    told of a change elsewhere, and every few seconds.

    While the database is away it goes on with what it knows, and before it knows anything nothing is off.
    """

    def __init__(self, database: Database, hub: Hub, clock: Clock, *, look_seconds: float = _LOOK_SECONDS) -> None:
        super().__init__("flags", hub, FLAGS, look_seconds)
        self.any = True  # False: there is no flag, and nobody has to ask
        self._database = database
        self._clock = clock
        self._flights = SingleFlight()
        self._flags: dict[str, Flag] = {}
        self._known = False  # it has looked once
        self._told, self._seen = 1, 0  # of changes: how many there were, and how many it has looked after

    async def off(self) -> list[Flag] | None:
        """What is off now, by its target; None before it knows anything."""
        if self._seen < self._told:
            await self._look_now()
        if not self._known:
            return None
        now = self._clock.now()
        return sorted((flag for flag in self._flags.values() if flag.holds(now)), key=lambda flag: flag.target)

    async def refusal(self, mount: str, route: str | None) -> SwitchedOff | None:
        """Of a request, if its mount or its route, by method and template, is off."""
        if self._seen < self._told:
            await self._look_now()
        if route is not None and why_always_on(route) is not None:
            return None
        now = self._clock.now()
        for target in (mount, route):
            flag = self._flags.get(target) if target is not None else None
            if flag is not None and flag.holds(now):
                return SwitchedOff(flag, now)
        return None

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, trace)
        await self._flights.settle()

    def _heard(self) -> None:
        self.any = True  # maybe: who asks looks first
        self._told += 1
        super()._heard()

    async def look(self) -> None:
        await self._flights.run("look", self._look)

    async def _look_now(self) -> None:
        told = self._told
        try:
            async with timeout(_PATIENCE_SECONDS):
                while self._seen < told:  # a look that is under way may have read before the change
                    await self.look()
        except (Unavailable, TimeoutError):
            self._seen = max(self._seen, told)  # the next turn tries again

    async def _look(self) -> None:
        told = self._told
        async with self._database.read() as session:
            found = await FlagRepository(session).holding(self._clock.now())
        self._flags = {flag.target: flag for flag in found}
        self._known = True
        self._seen = told
        self.any = bool(found) or told != self._told
