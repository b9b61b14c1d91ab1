"""Children in batches: whatever the resolvers of one operation ask for at the same time is one statement.

Each batch opens its own read session: resolvers run at the same time, and a session serves one task.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from strawberry.dataloader import DataLoader

from commerce.accounts.principal import Principal
from commerce.catalog.entities import Category, Image, Product, ProductHead, Variant
from commerce.catalog.repository import ProductRepository
from commerce.orders.entities import Order
from commerce.orders.repository import OrderRepository
from core.database import Database

T = TypeVar("T")


class Loaders:
    """Per operation: what was loaded is remembered until it ends."""

    def __init__(self, database: Database, principal: Principal) -> None:
        self._database = database
        self._principal = principal
        self.products: DataLoader[str, ProductHead | None] = DataLoader(
            self._batch(ProductRepository.heads, lambda _: None)
        )
        self.variants: DataLoader[str, Sequence[Variant]] = DataLoader(
            self._batch(ProductRepository.variants_of, lambda _: ())
        )
        self.images: DataLoader[str, Sequence[Image]] = DataLoader(
            self._batch(ProductRepository.images_of, lambda _: ())
        )
        self.tags: DataLoader[str, Sequence[str]] = DataLoader(self._batch(ProductRepository.tags_of, lambda _: ()))
        self.categories: DataLoader[str, Category | None] = DataLoader(self._batch(_categories, lambda _: None))

        self.orders: DataLoader[str, Order | None] = DataLoader(self._visible_orders)

    def remember(self, product: Product) -> None:
        """A whole product, which is not read again in this operation."""
        product_id = product.head.id
        self.products.prime(product_id, product.head, force=True)
        self.variants.prime(product_id, product.variants, force=True)
        self.images.prime(product_id, product.images, force=True)
        self.tags.prime(product_id, product.tags, force=True)
        if product.category is not None:
            self.categories.prime(product.category.id, product.category, force=True)

    async def _visible_orders(self, ids: list[str]) -> list[Order | None]:
        async with self._database.read() as session:
            found = {order.id: order for order in await OrderRepository(session).orders(ids, self._principal)}
        return [found.get(order_id) for order_id in ids]

    def _batch(
        self,
        read: Callable[[ProductRepository, Sequence[str]], Awaitable[Mapping[str, T]]],
        absent: Callable[[str], T],
    ) -> Callable[[list[str]], Awaitable[list[T]]]:
        """A value for each key, in their order."""

        async def load(keys: list[str]) -> list[T]:
            async with self._database.read() as session:
                found = await read(ProductRepository(session), keys)
            return [found[key] if key in found else absent(key) for key in keys]

        return load


async def _categories(products: ProductRepository, ids: Sequence[str]) -> dict[str, Category]:
    return {category.id: category for category in await products.categories(ids)}
