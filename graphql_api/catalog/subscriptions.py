"""What changes in the catalogue, as it happens."""

from collections.abc import AsyncGenerator
from typing import Annotated

import strawberry

from commerce.events.envelope import EventType
from commerce.events.filter import EventFilter
from graphql_api.catalog.queries import load_product
from graphql_api.catalog.types import Product
from graphql_api.context import Info
from graphql_api.fields import field, subscription
from graphql_api.updates import Cursor, Update, updates

_KINDS: tuple[EventType, ...] = ("product.created", "product.updated", "product.deleted", "stock.changed")
_TYPES: frozenset[str] = frozenset(_KINDS)


@strawberry.type(description="A product was made, changed or deleted, or has another stock.")
class ProductUpdate(Update):
    @field("The product's id, also of one that is gone.")
    def product_id(self) -> strawberry.ID:
        return strawberry.ID(self.subject)

    @field("The product as it is now; null: it was deleted, or is not on sale any more.")
    async def product(self, info: Info) -> Product | None:
        return await load_product(info, self.subject)


@strawberry.type
class CatalogSubscription:
    @subscription("What changes in the catalogue, of what you may see. For everybody.")
    async def product_updates(
        self,
        info: Info,
        after: Cursor = None,
        product_id: Annotated[strawberry.ID | None, strawberry.argument(description="Of this product alone.")] = None,
    ) -> AsyncGenerator[ProductUpdate, None]:
        wanted = EventFilter(info.context.principal, _TYPES, product_id)
        return await updates(info, wanted, after, ProductUpdate.of)
