"""The list of products: how it is narrowed, ordered and paged, by the same filter and keyset as REST v2."""

from enum import Enum
from typing import cast

import strawberry

from commerce.accounts.principal import Principal
from commerce.catalog import filters
from commerce.catalog.repository import ProductRepository
from core.errors import Invalid
from graphql_api.catalog.types import Product, ProductEdge, product_type
from graphql_api.context import Info
from graphql_api.cost_directives import COUNT
from graphql_api.fields import field
from graphql_api.pagination import PageInfo, check_page, page_info
from graphql_api.scalars import Long
from graphql_api.selection import asked, columns

_LONGEST_QUERY = 200  # as on REST


@strawberry.enum(description="How a list of products is ordered; ties by id.")
class ProductSort(Enum):
    TITLE = strawberry.enum_value("title", description="From A to Z.")
    TITLE_DESC = strawberry.enum_value("-title", description="From Z to A.")
    PRICE = strawberry.enum_value("price", description="Cheapest first, by the cheapest variant.")
    PRICE_DESC = strawberry.enum_value("-price", description="Dearest first, by the cheapest variant.")
    CREATED_AT = strawberry.enum_value("created_at", description="Oldest first.")
    CREATED_AT_DESC = strawberry.enum_value("-created_at", description="Newest first.")
    UPDATED_AT = strawberry.enum_value("updated_at", description="Longest unchanged first.")
    UPDATED_AT_DESC = strawberry.enum_value("-updated_at", description="Last changed first.")


@strawberry.input(name="ProductFilter", description="All given conditions must hold.")
class ProductFilterInput:
    q: str | None = strawberry.field(
        default=None, description="Words, each of which begins a word of the product; 200 characters at most."
    )
    category: str | None = strawberry.field(default=None, description="Name or slug.")
    vendor: str | None = strawberry.field(default=None, description="Exactly.")
    tag: str | None = strawberry.field(default=None, description="Exactly.")
    min_price: Long | None = strawberry.field(
        default=None, description="In minor units; one variant has to be in the range."
    )
    max_price: Long | None = strawberry.field(
        default=None, description="In minor units; one variant has to be in the range."
    )
    in_stock: bool | None = strawberry.field(default=None, description="Whether some variant can be bought now.")


@strawberry.type(description="A page of products.")
class ProductConnection:
    nodes: list[Product] = strawberry.field(description="The products of the page.")
    edges: list[ProductEdge] = strawberry.field(description="The products of the page, each with its cursor.")
    page_info: PageInfo = strawberry.field(description="Whether more follow, and from where.")
    wanted: strawberry.Private[filters.ProductFilter]

    @field("How many products fit in all. Counted only where it is asked for.", COUNT)
    async def total_count(self, info: Info) -> int:
        async with info.context.resources.database.read() as session:
            found = await ProductRepository(session).slice(
                self.wanted, filters.DEFAULT_SORT, limit=0, after=None, count=True
            )
        return found.total or 0


async def list_products(
    info: Info, *, first: int | None, after: str | None, wanted: ProductFilterInput | None, sort: ProductSort | None
) -> ProductConnection:
    """One statement, whatever the size of the page; none where only the total is asked for. Raises Invalid and
    InvalidCursor.
    """
    size = check_page(first, after)
    limit = size if asked(info, ProductConnection) - {"totalCount"} else 0
    narrowed = _product_filter(wanted or ProductFilterInput(), info.context.principal)
    order = cast("filters.SortName", sort.value) if sort else filters.DEFAULT_SORT
    async with info.context.loaders.lists.read() as session:
        found = await ProductRepository(session).slice_of_heads(
            narrowed, order, limit=limit, after=after, columns=columns(info, Product)
        )
    edges = [
        ProductEdge(cursor=cursor, node=product_type(head))
        for head, cursor in zip(found.items, found.cursors, strict=True)
    ]
    return ProductConnection(
        nodes=[edge.node for edge in edges],
        edges=edges,
        page_info=page_info(edges, after=after, has_next=found.has_next),
        wanted=narrowed,
    )


def _product_filter(given: ProductFilterInput, principal: Principal) -> filters.ProductFilter:
    if given.q is not None and len(given.q) > _LONGEST_QUERY:
        raise Invalid(f"q has {len(given.q)} characters; at most {_LONGEST_QUERY} are taken")
    for name, price in (("minPrice", given.min_price), ("maxPrice", given.max_price)):
        if price is not None and price < 0:
            raise Invalid(f"{name} is below nought")
    return filters.ProductFilter(
        q=given.q,
        category=given.category,
        vendor=given.vendor,
        tag=given.tag,
        min_price=given.min_price,
        max_price=given.max_price,
        in_stock=given.in_stock,
        include_unpublished=principal.sees_unpublished,
    )
