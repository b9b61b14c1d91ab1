"""Children in batches: whatever the resolvers of one operation ask for at the same time is one statement, which reads
the columns that one of them needs (`graphql_api.selection`).

Each batch opens its own read session: resolvers run at the same time, and a session serves one task.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeAlias, TypeVar

from strawberry.dataloader import DataLoader

from commerce.accounts.principal import Principal
from commerce.catalog.entities import Category, Image, Product, ProductHead, Variant
from commerce.catalog.repository import ProductRepository
from commerce.orders.entities import Order
from commerce.orders.repository import OrderRepository
from core.database import Database, ReadSession
from core.repository import MOST_PARAMETERS

T = TypeVar("T")
Columns: TypeAlias = frozenset[str]  # fields of an entity, as its repository takes them
_Key = tuple[str, Columns]
_Read = Callable[[ReadSession, Sequence[str], Columns], Awaitable[Mapping[str, T]]]
_NONE: Columns = frozenset()


class Loader(Generic[T]):
    """What is remembered is whole, and never read."""

    def __init__(self, database: Database, read: _Read[T], absent: T) -> None:
        self._database = database
        self._read = read
        self._absent = absent
        self._remembered: dict[str, T] = {}
        self._batches: DataLoader[_Key, T] = DataLoader(self._load, max_batch_size=MOST_PARAMETERS)

    async def load(self, key: str, columns: Columns = _NONE) -> T:
        if key in self._remembered:
            return self._remembered[key]
        return await self._batches.load((key, columns))

    def remember(self, key: str, value: T) -> None:
        self._remembered[key] = value

    async def _load(self, keys: list[_Key]) -> list[T]:
        names = list(dict.fromkeys(name for name, _ in keys))
        columns = _NONE.union(*(each for _, each in keys))
        async with self._database.read() as session:
            found = await self._read(session, names, columns)
        return [found.get(name, self._absent) for name, _ in keys]


class Loaders:
    """Per operation: what was loaded is remembered until it ends."""

    def __init__(self, database: Database, principal: Principal) -> None:
        self.products: Loader[ProductHead | None] = Loader(
            database, lambda session, ids, columns: ProductRepository(session).heads(ids, columns), None
        )
        self.products_named: Loader[ProductHead | None] = Loader(
            database, lambda session, handles, columns: ProductRepository(session).heads_named(handles, columns), None
        )
        self.variants: Loader[Sequence[Variant]] = Loader(
            database, lambda session, ids, columns: ProductRepository(session).variants_of(ids, columns), ()
        )
        self.images: Loader[Sequence[Image]] = Loader(
            database, lambda session, ids, columns: ProductRepository(session).images_of(ids, columns), ()
        )
        self.tags: Loader[Sequence[str]] = Loader(
            database, lambda session, ids, _: ProductRepository(session).tags_of(ids), ()
        )
        self.categories: Loader[Category | None] = Loader(
            database, lambda session, ids, columns: ProductRepository(session).categories_of(ids, columns), None
        )
        self.orders: Loader[Order | None] = Loader(
            database, lambda session, ids, parts: OrderRepository(session).visible(ids, principal, parts), None
        )

    def remember(self, product: Product) -> None:
        """A whole product, which is not read again in this operation."""
        product_id = product.head.id
        self.products.remember(product_id, product.head)
        self.variants.remember(product_id, product.variants)
        self.images.remember(product_id, product.images)
        self.tags.remember(product_id, product.tags)
        if product.category is not None:
            self.categories.remember(product.category.id, product.category)
