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
from core.slices import Slices

T = TypeVar("T")
Columns: TypeAlias = frozenset[str]  # fields of an entity, as its repository takes them
_Key = tuple[str, Columns]
_Read = Callable[[ReadSession, Sequence[str], Columns], Awaitable[Mapping[str, T]]]
_NONE: Columns = frozenset()


MOST_AT_ONCE = 100  # keys of a statement, whose rows are made into objects in one go
_ROUNDS = 3  # of the event loop, until what hangs on the items of the last list has asked, some levels down


class Lists:
    """The lists that are being read, or that wait for their slice. What hangs on their items waits for all of them, to
    be read together.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._loop = asyncio.get_running_loop()
        self._held = 0
        self._several = False
        self._none = asyncio.Event()  # is held, and what hangs on the last has asked
        self._none.set()
        self._settling: asyncio.Handle | None = None

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadSession]:
        with self.hold():
            async with self._database.read() as session:
                yield session

    def hold(self) -> "Hold":
        return Hold(self)

    def change(self, held: int, rounds: int = _ROUNDS) -> None:
        """`rounds`, of the loop, are waited for where several were held at once."""
        self._held += held
        self._several = self._several or self._held > 1
        if self._settling is not None:
            self._settling.cancel()
        self._settle(rounds if self._several else 0)

    def _settle(self, rounds: int) -> None:
        if self._held:
            self._none.clear()
        elif rounds:
            self._settling = self._loop.call_soon(self._settle, rounds - 1)
        else:
            self._several = False
            self._none.set()

    async def wait(self) -> None:
        await asyncio.sleep(0)  # for those that were made ready in the same round as who asks
        await self._none.wait()


class Hold:
    """Of lists, until it is released, or forgotten: an operation that fails drops what it has not begun."""

    def __init__(self, lists: Lists) -> None:
        self._lists: Lists | None = lists
        lists.change(1)

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None:
        if self._lists is not None:
            self._lists.change(-1)
            self._lists = None

    def __del__(self) -> None:
        if self._lists is not None:
            self._lists.change(-1, rounds=0)  # the loop may be closed


class Loader(Generic[T]):
    """What is remembered is whole, and never read."""

    def __init__(self, database: Database, read: _Read[T], absent: T, lists: Lists, slices: Slices) -> None:
        async def together(keys: list[_Key]) -> list[T]:  # no method: what was loaded is freed with its loader
            names = list(dict.fromkeys(name for name, _ in keys))
            columns = _NONE.union(*(each for _, each in keys))
            async with database.read() as session:
                found = await read(session, names, columns)
            return [found.get(name, absent) for name, _ in keys]

        self._lists = lists
        self._slices = slices
        self._remembered: dict[str, T] = {}
        self._batches: DataLoader[_Key, T] = DataLoader(together, max_batch_size=MOST_AT_ONCE)

    async def load(self, key: str, columns: Columns = _NONE) -> T:
        if key in self._remembered:
            return self._remembered[key]
        await self._lists.wait()
        loaded = await self._batches.load((key, columns))
        if not self._slices.take():
            with self._lists.hold():
                await self._slices.turn()
        return loaded

    def remember(self, key: str, value: T) -> None:
        self._remembered[key] = value


class Loaders:
    """Per operation: what was loaded is remembered until it ends."""

    def __init__(self, database: Database, principal: Principal, slices: Slices) -> None:
        self.lists = lists = Lists(database)
        self.products: Loader[ProductHead | None] = Loader(
            database, lambda session, ids, columns: ProductRepository(session).heads(ids, columns), None, lists, slices
        )
        self.products_named: Loader[ProductHead | None] = Loader(
            database,
            lambda session, handles, columns: ProductRepository(session).heads_named(handles, columns),
            None,
            lists,
            slices,
        )
        self.variants: Loader[Sequence[Variant]] = Loader(
            database,
            lambda session, ids, columns: ProductRepository(session).variants_of(ids, columns),
            (),
            lists,
            slices,
        )
        self.variants_named: Loader[tuple[Variant, ProductHead] | None] = Loader(
            database,
            lambda session, ids, columns: ProductRepository(session).variants(ids, columns),
            None,
            lists,
            slices,
        )
        self.images: Loader[Sequence[Image]] = Loader(
            database,
            lambda session, ids, columns: ProductRepository(session).images_of(ids, columns),
            (),
            lists,
            slices,
        )
        self.tags: Loader[Sequence[str]] = Loader(
            database, lambda session, ids, _: ProductRepository(session).tags_of(ids), (), lists, slices
        )
        self.categories: Loader[Category | None] = Loader(
            database,
            lambda session, ids, columns: ProductRepository(session).categories_of(ids, columns),
            None,
            lists,
            slices,
        )
        self.orders: Loader[Order | None] = Loader(
            database,
            lambda session, ids, parts: OrderRepository(session).visible(ids, principal, parts),
            None,
            lists,
            slices,
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
