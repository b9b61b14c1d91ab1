"""What becomes of orders, as it happens."""

from collections.abc import AsyncGenerator
from typing import Annotated

import strawberry

from commerce.events.envelope import EventType
from commerce.events.filter import EventFilter
from core.errors import NotFound
from graphql_api.auth import require_scope
from graphql_api.context import Info
from graphql_api.fields import field, subscription
from graphql_api.orders.queries import load_order
from graphql_api.orders.types import Order
from graphql_api.updates import Cursor, Update, updates

_KINDS: tuple[EventType, ...] = ("order.placed", "order.paid", "order.shipped", "order.cancelled")
_TYPES: frozenset[str] = frozenset(_KINDS)


@strawberry.type(description="An order was placed, paid, shipped or cancelled.")
class OrderUpdate(Update):
    @field("The order as it is now, which may be later than this update.")
    async def order(self, info: Info) -> Order:
        found = await load_order(info, self.subject)
        if found is None:
            raise NotFound("there is no such order any more")
        return found


@strawberry.type
class OrderSubscription:
    @subscription("What becomes of your orders, or as staff of everybody's. Needs `orders:read` and `events:read`.")
    async def order_updates(
        self,
        info: Info,
        after: Cursor = None,
        order_id: Annotated[strawberry.ID | None, strawberry.argument(description="Of this order alone.")] = None,
    ) -> AsyncGenerator[OrderUpdate, None]:
        require_scope(info, "orders:read")
        principal = require_scope(info, "events:read")
        if order_id is not None and await load_order(info, order_id) is None:
            raise NotFound("there is no such order, or it is not yours")
        return await updates(info, EventFilter(principal, _TYPES, order_id), after, OrderUpdate.of)
