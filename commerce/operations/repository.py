"""Every query of the registry of operations."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, or_, select

from commerce.catalog.text import is_storable
from commerce.operations.entities import EVERYBODY, Operation, RegisteredClient, RegisteredOperation, Registration
from commerce.operations.models import ClientOperationRow, ClientRow, OperationRow
from commerce.usage.models import UseRow
from core.pagination import Page
from core.repository import Repository

_COLUMNS = (OperationRow.sha256, OperationRow.name, OperationRow.kind, OperationRow.text)


class OperationRepository(Repository):
    async def clients(self) -> Sequence[Row[Any]]:
        """Name, mode, automatic and revision of each."""
        statement = select(ClientRow.name, ClientRow.mode, ClientRow.automatic, ClientRow.revision)
        return (await self._session.execute(statement.order_by(ClientRow.name))).all()

    async def operation(self, sha256: str) -> tuple[Operation, frozenset[str]] | None:
        """With the clients that have registered it."""
        statement = (
            select(*_COLUMNS, ClientOperationRow.client).join(ClientOperationRow).where(OperationRow.sha256 == sha256)
        )
        rows = (await self._session.execute(statement)).all()
        return (Operation(*rows[0][:4]), frozenset(row.client for row in rows)) if rows else None

    async def newest(self, limit: int) -> list[tuple[Operation, frozenset[str]]]:
        """Those used last first, then those registered last."""
        uses, registered = _uses(None), _registered(None)
        statement = (
            select(*_COLUMNS)
            .join(registered, registered.c.sha256 == OperationRow.sha256)
            .outerjoin(uses, uses.c.subject == OperationRow.sha256)
            .order_by(uses.c.last_used_at.desc().nulls_last(), registered.c.registered_at.desc(), OperationRow.sha256)
            .limit(limit)
        )
        found = [Operation(*row) for row in await self._session.execute(statement)]
        owners = await self._registrations([operation.sha256 for operation in found])
        return [(each, frozenset(owner.client for owner in owners[each.sha256])) for each in found]

    async def listed(
        self, *, page: int, size: int, client: str | None = None, unused_since: datetime | None = None
    ) -> Page[RegisteredOperation]:
        """Those that were never used first, then by the time of their last use; with `client`, what it has registered
        and how often it used that. With `unused_since`, only those not used at or after that moment.
        """
        client = client if client is None or is_storable(client) else ""  # nobody's name
        uses, registered = _uses(client), _registered(client)
        statement = (
            select(
                OperationRow.sha256,
                OperationRow.name,
                OperationRow.kind,
                registered.c.registered_at,
                func.coalesce(uses.c.uses, 0).label("uses"),
                uses.c.last_used_at,
            )
            .join(registered, registered.c.sha256 == OperationRow.sha256)
            .outerjoin(uses, uses.c.subject == OperationRow.sha256)
            .order_by(uses.c.last_used_at.asc().nulls_first(), OperationRow.name, OperationRow.sha256)
        )
        if unused_since is not None:
            statement = statement.where(or_(uses.c.last_used_at.is_(None), uses.c.last_used_at < unused_since))
        found = await self.numbered_page(statement, page=page, size=size)
        owners = await self._registrations([row.sha256 for row in found.items])
        items = [
            RegisteredOperation(
                row.sha256, row.name, row.kind, owners[row.sha256], row.registered_at, int(row.uses), row.last_used_at
            )
            for row in found.items
        ]
        return Page(items, found.page, found.size, found.total)

    async def registered_clients(self) -> list[RegisteredClient]:
        """Everybody first."""
        versions: dict[str, list[str]] = {}
        counted = select(ClientOperationRow.client, ClientOperationRow.version).distinct()
        for name, version in await self._session.execute(counted.order_by(ClientOperationRow.version)):
            versions.setdefault(name, []).append(version)
        count = select(ClientOperationRow.client, func.count(ClientOperationRow.sha256.distinct())).group_by(
            ClientOperationRow.client
        )
        operations = {row[0]: row[1] for row in await self._session.execute(count)}
        return [
            RegisteredClient(
                name=row.name,
                mode=row.mode,
                automatic=row.automatic,
                versions=tuple(versions.get(row.name, ())),
                operations=operations.get(row.name, 0),
            )
            for row in await self.clients()
        ]

    async def _registrations(self, hashes: Sequence[str]) -> dict[str, tuple[Registration, ...]]:
        of = ClientOperationRow
        statement = select(of.sha256, of.client, of.version, of.registered_at).where(of.sha256.in_(hashes))
        found: dict[str, tuple[Registration, ...]] = {}
        for sha256, *registration in await self._session.execute(statement.order_by(of.client, of.version)):
            found[sha256] = (*found.get(sha256, ()), Registration(*registration))
        return found


def _registered(client: str | None) -> Any:
    """The newest registration of each operation."""
    newest = func.max(ClientOperationRow.registered_at).label("registered_at")
    statement = select(ClientOperationRow.sha256, newest).group_by(ClientOperationRow.sha256)
    return _of_client(statement, ClientOperationRow.client, client).subquery()


def _uses(client: str | None) -> Any:
    """How often each operation was used, and when last; by everybody for `*`, who are many."""
    statement = select(
        UseRow.subject, func.sum(UseRow.uses).label("uses"), func.max(UseRow.last_used_at).label("last_used_at")
    ).where(UseRow.kind == "operation")
    return _of_client(
        statement.group_by(UseRow.subject), UseRow.client, client if client != EVERYBODY else None
    ).subquery()


def _of_client(statement: Any, column: Any, client: str | None) -> Any:
    return statement if client is None else statement.where(column == client)
