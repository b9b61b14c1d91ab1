"""Children in batches: whatever the resolvers of one operation ask for at the same time is one statement, which reads
the columns that one of them needs (`graphql_api.selection`).

Each batch opens its own read session: resolvers run at the same time, and a session serves one task.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
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


class Lists:
    """The lists that are being read. What hangs on their items waits for all of them, to be read together."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reading = 0
        self._done = asyncio.Event()
        self._done.set()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadSession]:
        self._reading += 1
        self._done.clear()
        try:
            async with self._database.read() as session:
                yield session
        finally:
            self._reading -= 1
            if not self._reading:
                self._done.set()

    async def wait(self) -> None:
        await self._done.wait()


class Loader(Generic[T]):
    """What is remembered is whole, and never read."""

    def __init__(self, database: Database, read: _Read[T], absent: T, after: Lists | None = None) -> None:
        self._database = database
        self._read = read
        self._absent = absent
        self._after = after
        self._remembered: dict[str, T] = {}
        self._batches: DataLoader[_Key, T] = DataLoader(self._load, max_batch_size=MOST_PARAMETERS)

    async def load(self, key: str, columns: Columns = _NONE) -> T:
        if key in self._remembered:
            return self._remembered[key]
        if self._after is not None:
            await self._after.wait()
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
        self.lists = lists = Lists(database)
        self.products: Loader[ProductHead | None] = Loader(
            database, lambda session, ids, columns: ProductRepository(session).heads(ids, columns), None
        )
        self.products_named: Loader[ProductHead | None] = Loader(
            database, lambda session, handles, columns: ProductRepository(session).heads_named(handles, columns), None
        )
        self.variants: Loader[Sequence[Variant]] = Loader(
            database, lambda session, ids, columns: ProductRepository(session).variants_of(ids, columns), (), lists
        )
        self.variants_named: Loader[tuple[Variant, ProductHead] | None] = Loader(
            database, lambda session, ids, columns: ProductRepository(session).variants(ids, columns), None
        )
        self.images: Loader[Sequence[Image]] = Loader(
            database, lambda session, ids, columns: ProductRepository(session).images_of(ids, columns), (), lists
        )
        self.tags: Loader[Sequence[str]] = Loader(
            database, lambda session, ids, _: ProductRepository(session).tags_of(ids), (), lists
        )
        self.categories: Loader[Category | None] = Loader(
            database, lambda session, ids, columns: ProductRepository(session).categories_of(ids, columns), None, lists
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
