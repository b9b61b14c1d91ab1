"""What can be done to the registry. Callers own the transaction; nothing here commits."""

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import delete, select, update

from commerce.audit.log import AuditLog
from commerce.operations.entities import EVERYBODY, Mode, Operation, Policy
from commerce.operations.errors import InvalidClientName, VersionNotRegistered
from commerce.operations.models import ClientOperationRow, ClientRow, OperationRow
from core.bulk import insert_missing
from core.clock import Clock
from core.context import client_named
from core.database import WriteSession, announce

OPERATIONS = "operations"  # of the hub, when the registry has changed


class OperationService:
    """Per transaction. One writer at a time, in all processes."""

    def __init__(self, session: WriteSession, clock: Clock, *, actor: str) -> None:
        self._session = session
        self._clock = clock
        self._audit = AuditLog(session, clock, actor)

    async def register(self, client: str, version: str, operations: Sequence[Operation]) -> int:
        """Returns how many of them were new to the registry. Registering again changes nothing.

        Raises InvalidClientName.
        """
        _check(client, version)
        await self._lock()
        await self._ensure(client)
        now, hashes = self._clock.now(), sorted({operation.sha256 for operation in operations})
        texts = {operation.sha256: asdict(operation) for operation in operations}
        new = await insert_missing(self._session, OperationRow.__table__, [texts[each] for each in hashes])  # type: ignore[arg-type]
        registrations = [
            {"client": client, "version": version, "sha256": each, "registered_at": now} for each in hashes
        ]
        added = await insert_missing(self._session, ClientOperationRow.__table__, registrations)  # type: ignore[arg-type]
        if added:
            await self._changed(client)
            after = {"version": version, "operations": added, "new": new}
            await self._audit.record("operations.register", client, None, after)
        return new

    async def forget(self, client: str, version: str) -> int:
        """Takes a version's operations out, and from the registry what nobody else has. Returns how many the version
        had. Raises VersionNotRegistered.
        """
        await self._lock()
        of_version = (ClientOperationRow.client == client, ClientOperationRow.version == version)
        hashes = list(await self._session.scalars(select(ClientOperationRow.sha256).where(*of_version)))
        if not hashes:
            raise VersionNotRegistered(f"client {client[:64]!r} has registered nothing as version {version[:64]!r}")
        await self._session.execute(delete(ClientOperationRow).where(*of_version))
        owned = select(ClientOperationRow.sha256).where(ClientOperationRow.sha256 == OperationRow.sha256)
        await self._session.execute(delete(OperationRow).where(~owned.exists()))
        await self._changed(client)
        before = {"version": version, "operations": len(hashes)}
        await self._audit.record("operations.forget", client, before, None)
        return len(hashes)

    async def change(self, client: str, *, mode: Mode | None = None, automatic: bool | None = None) -> Policy:
        """What is None stays. A client that nobody knew is known from now on. Raises InvalidClientName."""
        _check(client)
        await self._lock()
        made = await self._ensure(client)
        columns = (ClientRow.mode, ClientRow.automatic)
        row = (await self._session.execute(select(*columns).where(ClientRow.name == client))).one()
        before = Policy(client, row.mode, row.automatic)
        after = Policy(client, mode or before.mode, before.automatic if automatic is None else automatic)
        if made or after != before:
            values = {"mode": after.mode, "automatic": after.automatic}
            await self._session.execute(update(ClientRow).where(ClientRow.name == client).values(values))
            await self._changed(client)
            await self._audit.record("operations.client", client, None if made else asdict(before), asdict(after))
        return after

    async def _lock(self) -> None:
        await self._session.execute(select(ClientRow.name).where(ClientRow.name == EVERYBODY).with_for_update())

    async def _ensure(self, client: str) -> bool:
        """Whether it was not there."""
        row = {"name": client, "mode": "off", "automatic": False, "revision": 0}
        return bool(await insert_missing(self._session, ClientRow.__table__, [row]))  # type: ignore[arg-type]

    async def _changed(self, client: str) -> None:
        """Tells every process's registry that what it remembers is old."""
        values = {"revision": ClientRow.revision + 1}
        await self._session.execute(update(ClientRow).where(ClientRow.name == client).values(values))
        announce(self._session, OPERATIONS)


def _check(client: str, version: str = "1") -> None:
    """As the headers X-Client-Name and X-Client-Version are read: another would never be heard of."""
    if client != EVERYBODY and not (client and client_named(client, "").name == client):
        raise InvalidClientName(f"{client[:64]!r} is no name of a client")
    if not (version and client_named("any", version).version == version):
        raise InvalidClientName(f"{version[:64]!r} is no version of a client")
