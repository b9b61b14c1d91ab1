"""The list of orders: how it is narrowed and paged, by the same filter and keyset as on REST."""

from datetime import datetime

import strawberry

from commerce.accounts.principal import Principal
from commerce.orders.filters import FILTERS, OrderFilter, require_bounds
from commerce.orders.repository import OrderRepository
from graphql_api.context import Info
from graphql_api.cost_directives import COUNT
from graphql_api.fields import field, plain
from graphql_api.orders.types import Order, OrderEdge, OrderState, order_type
from graphql_api.pagination import PageInfo, check_page, page_info
from graphql_api.selection import asked, columns


@strawberry.input(name="OrderFilter", description="All given conditions must hold.")
class OrderFilterInput:
    state: OrderState | None = strawberry.field(default=None, description="In which state they are.")
    email: str | None = strawberry.field(default=None, description="Exactly, in upper or lower case.")
    placed_after: datetime | None = strawberry.field(default=None, description="Placed at this moment or later.")
    placed_before: datetime | None = strawberry.field(default=None, description="Placed before this moment.")


@strawberry.type(description="A page of orders.")
class OrderConnection:
    nodes: list[Order] = strawberry.field(description="The orders of the page.")
    edges: list[OrderEdge] = strawberry.field(description="The orders of the page, each with its cursor.")
    page_info: PageInfo = strawberry.field(description="Whether more follow, and from where.")
    wanted: strawberry.Private[OrderFilter]

    @field("How many orders fit in all. Counted only where it is asked for.", COUNT)
    async def total_count(self, info: Info) -> int:
        async with info.context.resources.database.read() as session:
            found = await OrderRepository(session).slice(
                self.wanted, info.context.principal, limit=0, after=None, count=True
            )
        return found.total or 0


async def list_orders(
    info: Info, principal: Principal, *, first: int | None, after: str | None, wanted: OrderFilterInput | None
) -> OrderConnection:
    """A fixed number of statements, whatever the size of the page; none where only the total is asked for. Raises
    Invalid and InvalidCursor.
    """
    size = check_page(first, after)
    limit = size if asked(info, OrderConnection) - {"totalCount"} else 0
    narrowed = _order_filter(wanted or OrderFilterInput())
    async with info.context.loaders.lists.read() as session:
        found = await OrderRepository(session).slice(
            narrowed, principal, limit=limit, after=after, parts=columns(info, Order)
        )
    edges = [
        OrderEdge(cursor=cursor, node=order_type(order))
        for order, cursor in zip(found.items, found.cursors, strict=True)
    ]
    return OrderConnection(
        nodes=[edge.node for edge in edges],
        edges=edges,
        page_info=page_info(edges, after=after, has_next=found.has_next),
        wanted=narrowed,
    )


def _order_filter(given: OrderFilterInput) -> OrderFilter:
    """Raises Invalid."""
    wanted = OrderFilter(**{name: plain(getattr(given, name)) for name in FILTERS})
    require_bounds(wanted)
    return wanted
