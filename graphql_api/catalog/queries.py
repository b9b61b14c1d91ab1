"""What can be asked of the catalogue."""

from typing import Annotated

import strawberry

from commerce.catalog.repository import ProductRepository
from core.errors import Invalid
from graphql_api.catalog.listing import ProductConnection, ProductFilterInput, ProductSort, list_products
from graphql_api.catalog.types import Category, Product, category_type, is_visible, product_type
from graphql_api.context import Info
from graphql_api.fields import field
from graphql_api.node import Node
from graphql_api.pagination import DEFAULT_SIZE, After, First

_MOST_NODES = 100

IdArgument = Annotated[strawberry.ID | None, strawberry.argument(description="Its id, `prod_...`.")]
HandleArgument = Annotated[
    str | None, strawberry.argument(description="Its handle; one of the past finds the product that had it.")
]
FilterArgument = Annotated[
    ProductFilterInput | None, strawberry.argument(name="filter", description="Which products; all without one.")
]
SortArgument = Annotated[ProductSort | None, strawberry.argument(description="In which order.")]


@strawberry.type
class CatalogQuery:
    @field("One product, by its id or by its handle: give one of the two. null: none has it.")
    async def product(self, info: Info, id: IdArgument = None, handle: HandleArgument = None) -> Product | None:  # noqa: A002  the schema's name
        if (id is None) == (handle is None):
            raise Invalid("give either id or handle")
        found = id if id is not None else await _id_of(info, handle or "")
        return await _load_product(info, found) if found is not None else None

    @field("Products, page by page.")
    async def products(
        self,
        info: Info,
        first: First = DEFAULT_SIZE,
        after: After = None,
        wanted: FilterArgument = None,
        sort: SortArgument = ProductSort.CREATED_AT_DESC,
    ) -> ProductConnection:
        return await list_products(info, first=first, after=after, wanted=wanted, sort=sort)

    @field("All categories, by name.")
    async def categories(self, info: Info) -> list[Category]:
        async with info.context.resources.database.read() as session:
            return [category_type(category) for category in await ProductRepository(session).categories()]

    @field("Whatever has this id; null: nothing has, or nothing that you may see.")
    async def node(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The same id as on REST.")],  # noqa: A002
    ) -> Node | None:
        return await _load_product(info, id)

    @field("As `node`, for many: in the order of the ids, null where there is none.")
    async def nodes(
        self,
        info: Info,
        ids: Annotated[list[strawberry.ID], strawberry.argument(description=f"At most {_MOST_NODES}.")],
    ) -> list[Node | None]:
        if len(ids) > _MOST_NODES:
            raise Invalid(f"{len(ids)} ids; at most {_MOST_NODES} are taken")
        heads = await info.context.loaders.products.load_many(ids)
        principal = info.context.principal
        return [product_type(head) if head and is_visible(head, principal) else None for head in heads]


async def _load_product(info: Info, product_id: str) -> Product | None:
    head = await info.context.loaders.products.load(product_id)
    return product_type(head) if head and is_visible(head, info.context.principal) else None


async def _id_of(info: Info, handle: str) -> str | None:
    """Of the product with this handle, or of the one that once had it."""
    unpublished = info.context.principal.sees_unpublished
    async with info.context.resources.database.read() as session:
        products = ProductRepository(session)
        key = await products.key_of(handle, include_unpublished=unpublished)
        if key is None:
            present = await products.handle_after_rename(handle, include_unpublished=unpublished)
            key = await products.key_of(present, include_unpublished=unpublished) if present else None
    return key.id if key else None
