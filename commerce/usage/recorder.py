"""Counts uses in memory, so that no request waits for it, and writes them down every few seconds."""

from datetime import timedelta
from types import TracebackType

import structlog

from commerce.usage.entities import Kind
from commerce.usage.repository import Count, Used, add_uses
from core.clock import Clock
from core.context import Client
from core.database import Database
from core.recording import Recording

log = structlog.get_logger("portico.usage")
OTHER = "other"  # the client that stands for all beyond the bound
_FLUSH_SECONDS = 5.0
# Names are whatever callers say: what they can make us store is bounded by this, a process and day.
_MOST = 10_000
_REMEMBERED = timedelta(days=1)


class UseRecorder(Recording):
    """`async with UseRecorder(...) as uses:` One per process. While the database is away the counts are kept; a process
    that is killed loses those since it last wrote, of a few seconds.
    """

    def __init__(
        self, database: Database, clock: Clock, *, flush_seconds: float = _FLUSH_SECONDS, most: int = _MOST
    ) -> None:
        super().__init__("usage", flush_seconds)
        self._database = database
        self._clock = clock
        self._most = most
        self._pending: dict[Used, Count] = {}
        self._known: set[Used] = set()
        self._known_since = clock.now()

    def note(self, kind: Kind, subject: str, client: Client) -> None:
        """One use, now. Subjects are what the program knows; clients are whatever callers say."""
        used, now = self._bounded(Used(kind, subject, client.name, client.version)), self._clock.now()
        count = self._pending.get(used)
        if count is None:
            self._pending[used] = Count(1, now, now)
        else:
            count.uses += 1
            count.last = now

    async def flush(self) -> None:
        """Writes down what was counted. Raises DatabaseUnavailable, and then has it still."""
        if not self._pending:
            return
        taken, self._pending = self._pending, {}
        try:
            async with self._database.write() as session:
                await add_uses(session, taken)
        except Exception:
            self._take_back(taken)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, trace)
        if self._pending:
            log.warning("uses_lost", uses=sum(count.uses for count in self._pending.values()))

    def _bounded(self, used: Used) -> Used:
        if used in self._known:
            return used
        if self._clock.now() - self._known_since > _REMEMBERED:
            self._known, self._known_since = set(), self._clock.now()
        if len(self._known) >= self._most:
            return Used(used.kind, used.subject, OTHER, "")
        self._known.add(used)
        return used

    def _take_back(self, taken: dict[Used, Count]) -> None:
        newer, self._pending = self._pending, taken
        for used, count in newer.items():
            older = taken.setdefault(used, count)
            if older is not count:
                older.uses += count.uses
                older.last = count.last
