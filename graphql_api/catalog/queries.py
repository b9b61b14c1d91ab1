"""What can be asked of the catalogue."""

from typing import Annotated

import strawberry

from commerce.catalog.entities import ProductHead
from commerce.catalog.filters import MAX_QUERY
from commerce.catalog.repository import ProductRepository
from core.errors import Invalid
from graphql_api.catalog.listing import (
    ProductConnection,
    ProductFilterInput,
    ProductSort,
    list_products,
    search_products,
)
from graphql_api.catalog.types import Category, Product, Variant, is_visible, product_type
from graphql_api.context import Info
from graphql_api.cost_directives import CONNECTION, SEARCH, sized
from graphql_api.fields import field
from graphql_api.pagination import DEFAULT_SIZE, After, First
from graphql_api.selection import columns

IdArgument = Annotated[strawberry.ID | None, strawberry.argument(description="Its id, `prod_...`.")]
HandleArgument = Annotated[
    str | None, strawberry.argument(description="Its handle; one of the past finds the product that had it.")
]
FilterArgument = Annotated[
    ProductFilterInput | None, strawberry.argument(name="filter", description="Which products; all without one.")
]
QueryArgument = Annotated[
    str,
    strawberry.argument(
        description=f"Words, each of which begins a word of the product; {MAX_QUERY} characters at most."
    ),
]
SortArgument = Annotated[ProductSort | None, strawberry.argument(description="In which order.")]


@strawberry.type
class CatalogQuery:
    @field("One product, by its id or by its handle: give one of the two. null: none has it.")
    async def product(self, info: Info, id: IdArgument = None, handle: HandleArgument = None) -> Product | None:  # noqa: A002  the schema's name
        if (id is None) == (handle is None):
            raise Invalid("give either id or handle")
        return await (load_product(info, id) if id is not None else load_product_named(info, handle or ""))

    @field("Products, page by page.", CONNECTION)
    async def products(
        self,
        info: Info,
        first: First = DEFAULT_SIZE,
        after: After = None,
        wanted: FilterArgument = None,
        sort: SortArgument = ProductSort.CREATED_AT_DESC,
    ) -> ProductConnection:
        return await list_products(info, first=first, after=after, wanted=wanted, sort=sort)

    @field(
        "Products that have all words of the query, the best match first, page by page. A word in the title counts "
        "most, then one in the vendor, category, tags, SKUs or options, then one in the description. Of equal ones the "
        "newest comes first.",
        CONNECTION,
        SEARCH,
    )
    async def search(
        self, info: Info, query: QueryArgument, first: First = DEFAULT_SIZE, after: After = None
    ) -> ProductConnection:
        return await search_products(info, query=query, first=first, after=after)

    @field("All categories, by name.", sized(50))
    async def categories(self, info: Info) -> list[Category]:
        async with info.context.resources.database.read() as session:
            found = await ProductRepository(session).categories(columns(info, Category))
        return [Category(row=category) for category in found]


async def load_product(info: Info, product_id: str) -> Product | None:
    return _visible(info, await info.context.loaders.products.load(product_id, _needed(info)))


async def load_variant(info: Info, variant_id: str) -> Variant | None:
    found = await info.context.loaders.variants_named.load(variant_id, columns(info, Variant))
    if found is None or not is_visible(found[1], info.context.principal):
        return None
    variant, product = found
    return Variant(row=variant, currency=product.currency)


async def load_product_named(info: Info, handle: str) -> Product | None:
    """With this handle, or that once had it."""
    return _visible(info, await info.context.loaders.products_named.load(handle, _needed(info)))


def _needed(info: Info) -> frozenset[str]:
    return columns(info, Product) | {"status"}


def _visible(info: Info, head: ProductHead | None) -> Product | None:
    return product_type(head) if head and is_visible(head, info.context.principal) else None
