"""Orders for endpoints: who may call, how a list is narrowed and paged, a repository, and commands done once."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Header, Query

from commerce.accounts.principal import Principal
from commerce.orders.entities import ORDER, Order
from commerce.orders.filters import FILTERS, OrderFilter
from commerce.orders.reading import OrderReader
from commerce.orders.service import OrderService
from core.database import WriteSession
from core.errors import FieldError, Invalid
from core.pagination import MAX_DEPTH
from core.web.dependencies import ResourcesDep
from public_api.auth import RequireScope
from public_api.once import Once, OnceDep, RequiredOnceDep
from public_api.orders.schemas import OrderQuery

C = TypeVar("C")
OrdersReader = Annotated[Principal, Depends(RequireScope("orders:read"))]
OrdersWriter = Annotated[Principal, Depends(RequireScope("orders:write"))]


async def get_query(query: Annotated[OrderQuery, Query()]) -> OrderQuery:
    """All parameters of the list in one model, so that an unknown one is refused."""
    return query


QueryDep = Annotated[OrderQuery, Depends(get_query)]


class OrderFilters:
    """Which orders a list has."""

    async def __call__(self, query: QueryDep) -> OrderFilter:
        return OrderFilter(**{name: getattr(query, name) for name in FILTERS})


@dataclass(frozen=True, slots=True)
class PageNumber:
    page: int
    size: int


@dataclass(frozen=True, slots=True)
class Pagination:
    """Numbered pages, down to a depth: a database walks over all that it skips."""

    max_depth: int

    async def __call__(self, query: QueryDep) -> PageNumber:
        if query.page * query.size > self.max_depth:
            fault = FieldError("/query/page", "too_deep", f"page times size is over {self.max_depth}")
            raise Invalid("this deep, narrow the list by placed_before", errors=(fault,))
        return PageNumber(query.page, query.size)


FilterDep = Annotated[OrderFilter, Depends(OrderFilters())]
PageDep = Annotated[PageNumber, Depends(Pagination(MAX_DEPTH))]


async def get_reader(resources: ResourcesDep, principal: OrdersReader) -> OrderReader:
    return OrderReader(resources.database, principal)


ReaderDep = Annotated[OrderReader, Depends(get_reader)]


@dataclass(frozen=True, slots=True)
class OrderDesk:
    """Per request. Does a command in a transaction of its own, once for each Idempotency-Key."""

    once: Once
    principal: Principal

    async def run(self, command: C, act: Callable[[OrderService, C], Awaitable[Order]]) -> Order:
        async def action(session: WriteSession) -> Order:
            resources = self.once.resources
            currency = resources.settings.shop.currency
            service = OrderService(
                session, resources.clock, principal=self.principal, currency=currency, jobs=resources.jobs
            )
            return await act(service, command)

        return await self.once.run(command, action, ORDER)


async def get_desk(principal: OrdersWriter, once: OnceDep) -> OrderDesk:
    return OrderDesk(once, principal)


async def get_placing_desk(principal: OrdersWriter, once: RequiredOnceDep) -> OrderDesk:
    return OrderDesk(once, principal)


DeskDep = Annotated[OrderDesk, Depends(get_desk)]
PlacingDeskDep = Annotated[OrderDesk, Depends(get_placing_desk)]
IfNoneMatch = Annotated[
    str | None, Header(alias="If-None-Match", description="ETag of your copy: 304 if it is current.")
]
