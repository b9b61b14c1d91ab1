"""Every query of webhooks that only reads, and who may see what."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Row, func, select, true

from commerce.accounts.models import UserRow
from commerce.accounts.principal import SCOPES_OF, Principal
from commerce.webhooks.entities import DELIVERY, ENDPOINT, OPEN, Delivery, DeliveryState, Endpoint, Queue, delivery
from commerce.webhooks.entities import endpoint as entity
from commerce.webhooks.models import CursorRow, DeliveryRow, EndpointRow
from core.pagination import Keyset, Slice
from core.repository import Repository

_ENDPOINTS = Keyset("created_at", EndpointRow.created_at, EndpointRow.id, descending=True)  # type: ignore[arg-type]
_DELIVERIES = Keyset("created_at", DeliveryRow.created_at, DeliveryRow.id, descending=True)  # type: ignore[arg-type]
# What the shop's own endpoints may see at most.
SHOP = Principal("api_key", "webhooks", SCOPES_OF["admin"])


class WebhookRepository(Repository):
    async def get(self, endpoint_id: str, principal: Principal) -> Endpoint | None:
        statement = select(*ENDPOINT).where(EndpointRow.id == endpoint_id, belongs_to(principal))
        row = (await self._session.execute(statement)).one_or_none()
        return entity(row) if row is not None else None

    async def endpoints(self, principal: Principal | None, *, limit: int, after: str | None = None) -> Slice[Endpoint]:
        """Newest first; None sees all. Raises InvalidCursor."""
        statement = select(*ENDPOINT, EndpointRow.created_at.label("sort_value"))
        if principal is not None:
            statement = statement.where(belongs_to(principal))
        page = await self.keyset_page(statement, _ENDPOINTS, limit=limit, after=after)
        return Slice([entity(row) for row in page.items], page.cursors, page.has_next)

    async def deliveries(
        self, endpoint_id: str, *, limit: int, after: str | None = None, state: DeliveryState | None = None
    ) -> Slice[Delivery]:
        """Newest first. Raises InvalidCursor."""
        statement = select(*DELIVERY, DeliveryRow.created_at.label("sort_value"))
        statement = statement.where(DeliveryRow.endpoint_id == endpoint_id)
        if state is not None:
            statement = statement.where(DeliveryRow.state == state)
        page = await self.keyset_page(statement, _DELIVERIES, limit=limit, after=after)
        return Slice([delivery(row) for row in page.items], page.cursors, page.has_next)

    async def queues(self, endpoint_ids: list[str]) -> dict[str, Queue]:
        statement = (
            select(DeliveryRow.endpoint_id, func.count(), func.min(DeliveryRow.created_at))
            .where(DeliveryRow.endpoint_id.in_(endpoint_ids), DeliveryRow.state.in_(OPEN))
            .group_by(DeliveryRow.endpoint_id)
        )
        found = {row[0]: Queue(row[1], row[2]) for row in await self._session.execute(statement)}
        return {each: found.get(each, Queue(0, None)) for each in endpoint_ids}

    async def backlog(self) -> dict[DeliveryState, Queue]:
        """Of all endpoints: what is to be delivered, by its state."""
        open_ = select(DeliveryRow.state, func.count(), func.min(DeliveryRow.created_at))
        rows = await self._session.execute(open_.where(DeliveryRow.state.in_(OPEN)).group_by(DeliveryRow.state))
        found = {state: Queue(count, oldest) for state, count, oldest in rows}
        return {state: found.get(state, Queue(0, None)) for state in OPEN}

    async def cursor(self) -> int:
        """The position in the log up to which deliveries have been made."""
        return int(await self._session.scalar(select(CursorRow.position)))

    async def owners(self, user_ids: set[str]) -> dict[str, Principal]:
        """What these people may see at this moment; those who may not sign in are left out."""
        active = UserRow.id.in_(user_ids), UserRow.disabled_at.is_(None), UserRow.deleted_at.is_(None)
        rows = await self._session.execute(select(UserRow.id, UserRow.role, UserRow.email).where(*active))
        return {row.id: _principal(row) for row in rows}

    async def viewer(self, user_id: str | None, scopes: Sequence[str] | None) -> Principal | None:
        """As `viewer_of`, for one endpoint."""
        return viewer_of(user_id, scopes, await self.owners({user_id} if user_id is not None else set()))


def viewer_of(user_id: str | None, scopes: Sequence[str] | None, owners: Mapping[str, Principal]) -> Principal | None:
    """As whom an endpoint sees events: its owner as they are now, with no more than the scopes of the key that made it.
    None: its owner may not sign in.
    """
    owner = owners.get(user_id) if user_id is not None else SHOP
    if owner is None or scopes is None:
        return owner
    return replace(owner, kind="api_key", scopes=owner.scopes & set(scopes))


def belongs_to(principal: Principal) -> ColumnElement[bool]:
    """Admins, their keys and the shop's own keys manage everybody's."""
    return true() if principal.acts_for_shop else EndpointRow.user_id == principal.user_id


def _principal(row: Row[Any]) -> Principal:
    return Principal("user", row.id, SCOPES_OF[row.role], user_id=row.id, role=row.role, email=row.email)
