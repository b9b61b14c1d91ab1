"""What can be asked of orders."""

from typing import Annotated

import strawberry

from graphql_api.auth import require_scope
from graphql_api.context import Info
from graphql_api.cost_directives import CONNECTION
from graphql_api.fields import field
from graphql_api.orders.listing import OrderConnection, OrderFilterInput, list_orders
from graphql_api.orders.types import Order, order_type
from graphql_api.pagination import DEFAULT_SIZE, After, First
from graphql_api.selection import columns

FilterArgument = Annotated[
    OrderFilterInput | None, strawberry.argument(name="filter", description="Which orders; all without one.")
]


@strawberry.type
class OrderQuery:
    @field("One order; null: there is none with this id, or it is not yours. Needs `orders:read`.")
    async def order(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="Its id, `ord_...`.")],  # noqa: A002
    ) -> Order | None:
        require_scope(info, "orders:read")
        return await load_order(info, id)

    @field("Your orders, or as staff everybody's, newest first, page by page. Needs `orders:read`.", CONNECTION)
    async def orders(
        self, info: Info, first: First = DEFAULT_SIZE, after: After = None, wanted: FilterArgument = None
    ) -> OrderConnection | None:
        principal = require_scope(info, "orders:read")
        return await list_orders(info, principal, first=first, after=after, wanted=wanted)


async def load_order(info: Info, order_id: str) -> Order | None:
    """What the caller may see; the scope is for the caller of this to ask for."""
    found = await info.context.loaders.orders.load(order_id, columns(info, Order))
    return order_type(found) if found else None
