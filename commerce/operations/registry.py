"""The registry as requests ask it: in memory, so that hardly any waits for the database."""

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from sqlalchemy import Row

from commerce.operations.entities import EVERYBODY, MODES, Operation, Policy, sha256_of
from commerce.operations.memory import Memory
from commerce.operations.repository import OperationRepository
from commerce.operations.service import OPERATIONS
from core.database import Database
from core.errors import Unavailable
from core.hub import Hub
from core.looking import Looking
from core.single_flight import SingleFlight

_LOOK_SECONDS = 2.0
_MISSING_SECONDS = 2.0
_REGISTERED_BYTES = 32 * 1024**2
_AUTOMATIC_BYTES = 8 * 1024**2
_MISSING = 10_000
_NEVER = object()
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class _Known:
    operation: Operation
    clients: frozenset[str]


class OperationRegistry(Looking):
    """`async with OperationRegistry(...) as registry:` One per process. It looks for changes when one was made here,
    and every few seconds for those of other processes; texts it reads when they are first asked for, and keeps.

    While the database is away it goes on with what it knows.
    """

    def __init__(self, database: Database, hub: Hub, *, look_seconds: float = _LOOK_SECONDS) -> None:
        super().__init__("operations", hub, OPERATIONS, look_seconds)
        self.on_changed: Callable[[], None] = lambda: None  # told when another process has changed something too
        self._database = database
        self._flights = SingleFlight()
        self._rows: Sequence[Row[Any]] | None = None  # as the clients were when it last looked
        self._policies: dict[str, Policy] = {}
        self._known: Memory[_Known] = Memory(_REGISTERED_BYTES)
        self._missing: Memory[float] = Memory(_MISSING)
        self._automatic: Memory[str] = Memory(_AUTOMATIC_BYTES)
        self._told, self._seen = 1, 0  # of changes: how many there were, and how many it has looked after

    async def policy(self, client: str) -> Policy:
        """The client's own, but never looser than everybody's: names are the callers' word. Raises DatabaseUnavailable
        where it has never been read.
        """
        await self._look_if_old()
        return self._policies.get(client) or self._policies[EVERYBODY]

    async def find(self, client: str, sha256: str) -> Operation | None:
        """What the client, or everybody, has registered by this hash. Asks the database once for what it does not know.

        Raises DatabaseUnavailable.
        """
        await self._look_if_old()
        if not _SHA256.fullmatch(sha256):
            return None
        if self._known.get(sha256) is None and not self._is_missing(sha256):
            await self._flights.run(sha256, lambda: self._load(sha256))
        return self.recall(client, sha256)

    def recall(self, client: str, sha256: str) -> Operation | None:
        """As `find`, out of memory alone."""
        known = self._known.get(sha256)
        return known.operation if known is not None and not known.clients.isdisjoint((client, EVERYBODY)) else None

    def automatic(self, sha256: str) -> str | None:
        """What was remembered here by this hash, if it has not gone since."""
        return self._automatic.get(sha256)

    def remember(self, text: str) -> None:
        self._automatic.put(sha256_of(text), text, len(text))

    async def newest(self, limit: int) -> list[Operation]:
        """Those that are asked for first, it may be thought. Remembers them. Raises DatabaseUnavailable."""
        await self._look_if_old()
        rows = self._rows
        async with self._database.read() as session:
            found = await OperationRepository(session).newest(limit)
        if rows is self._rows:
            for operation, clients in reversed(found):
                self._keep(_Known(operation, clients))
        return [operation for operation, _ in found]

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, trace)
        await self._flights.settle()

    def _heard(self) -> None:
        self._told += 1

    async def look(self) -> None:
        await self._flights.run("look", self._look)

    async def _look_if_old(self) -> None:
        while self._seen < self._told:
            try:
                await self.look()
            except Unavailable:
                if self._rows is None:
                    raise

    async def _look(self) -> None:
        told = self._told
        try:
            async with self._database.read() as session:
                rows = await OperationRepository(session).clients()
        except Exception:
            if self._rows is not None:
                self._seen = told
            raise
        if rows != self._rows:
            self._rows = rows
            self._known.clear()
            self._missing.clear()
            self._policies = _policies(rows)
            self.on_changed()
        self._seen = told

    async def _load(self, sha256: str) -> None:
        rows: object = _NEVER
        while rows is not self._rows:  # or what was read may be of before a change
            rows = self._rows
            async with self._database.read() as session:
                found = await OperationRepository(session).operation(sha256)
        if found is None:
            self._missing.put(sha256, self._now() + _MISSING_SECONDS, 1)
        else:
            self._keep(_Known(*found))

    def _keep(self, known: _Known) -> None:
        self._known.put(known.operation.sha256, known, len(known.operation.text))
        self._missing.forget(known.operation.sha256)

    def _is_missing(self, sha256: str) -> bool:
        until = self._missing.get(sha256)
        return until is not None and until > self._now()

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def _policies(rows: Sequence[Row[Any]]) -> dict[str, Policy]:
    found = {row.name: Policy(row.name, row.mode, row.automatic) for row in rows}
    least = MODES.index(found[EVERYBODY].mode)
    return {
        name: Policy(name, MODES[max(least, MODES.index(policy.mode))], policy.automatic)
        for name, policy in found.items()
    }
