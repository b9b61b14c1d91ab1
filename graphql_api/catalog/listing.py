"""The list of products: how it is narrowed, ordered and paged, by the same filter and keyset as REST v2."""

from enum import Enum
from typing import cast

import strawberry

from commerce.accounts.principal import Principal
from commerce.catalog import filters
from commerce.catalog.reading import CatalogReader
from commerce.catalog.repository import ProductRepository
from graphql_api.catalog.types import Product, ProductEdge, product_type
from graphql_api.context import Info
from graphql_api.cost_directives import COUNT
from graphql_api.fields import field
from graphql_api.pagination import PageInfo, check_page, page_info
from graphql_api.scalars import Long
from graphql_api.selection import asked, columns


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
        default=None,
        description=f"Words, each of which begins a word of the product; {filters.MAX_QUERY} characters at most.",
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
        resources = info.context.resources
        return await CatalogReader(resources.database, resources.cache).total(self.wanted)


async def list_products(
    info: Info, *, first: int | None, after: str | None, wanted: ProductFilterInput | None, sort: ProductSort | None
) -> ProductConnection:
    order = cast("filters.SortName", sort.value) if sort else filters.DEFAULT_SORT
    return await _page(info, first, after, wanted or ProductFilterInput(), order)


async def search_products(info: Info, *, query: str, first: int | None, after: str | None) -> ProductConnection:
    return await _page(info, first, after, ProductFilterInput(q=query), None)


async def _page(
    info: Info, first: int | None, after: str | None, wanted: ProductFilterInput, order: filters.SortName | None
) -> ProductConnection:
    """One statement, whatever the size of the page; none where only the total is asked for. The best match first
    without an order. Raises Invalid and InvalidCursor.
    """
    size = check_page(first, after)
    limit = size if asked(info, ProductConnection) - {"totalCount"} else 0
    narrowed = _product_filter(wanted, info.context.principal)
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
    """Raises Invalid."""
    said = {name: getattr(given, name) for name in filters.FILTERS}
    wanted = filters.ProductFilter(**said, include_unpublished=principal.sees_unpublished)
    filters.require_bounds(wanted)
    return wanted
