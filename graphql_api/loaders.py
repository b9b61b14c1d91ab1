"""Children in batches: whatever the resolvers of one operation ask for at the same time is one statement, which reads
the columns that one of them needs (`graphql_api.selection`).

Each batch opens its own read session: resolvers run at the same time, and a session serves one task.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeAlias, TypeVar

from strawberry.dataloader import DataLoader

from commerce.accounts.principal import Principal
from commerce.catalog.entities import Category, Image, ProductHead, Variant
from commerce.catalog.repository import ProductRepository
from commerce.orders.entities import Order
from commerce.orders.repository import OrderRepository
from core.database import Database, ReadSession
from core.repository import MOST_PARAMETERS

T = TypeVar("T")
NOTHING = frozenset[str]()
D = TypeVar("D")
Key: TypeAlias = tuple[str, frozenset[str]]  # an id or a handle, and the fields of the entity that are needed
_Read = Callable[[ReadSession, Sequence[str], frozenset[str]], Awaitable[Mapping[str, T]]]


class Loaders:
    """Per operation: what was loaded is remembered until it ends."""

    def __init__(self, database: Database, principal: Principal) -> None:
        self._database = database
        self.products: DataLoader[Key, ProductHead | None] = self._loader(
            lambda session, ids, columns: ProductRepository(session).heads(ids, columns), None
        )
        self.products_named: DataLoader[Key, ProductHead | None] = self._loader(
            lambda session, handles, columns: ProductRepository(session).heads_named(handles, columns), None
        )
        self.variants: DataLoader[Key, Sequence[Variant]] = self._loader(
            lambda session, ids, columns: ProductRepository(session).variants_of(ids, columns), ()
        )
        self.images: DataLoader[Key, Sequence[Image]] = self._loader(
            lambda session, ids, columns: ProductRepository(session).images_of(ids, columns), ()
        )
        self.tags: DataLoader[Key, Sequence[str]] = self._loader(
            lambda session, ids, _: ProductRepository(session).tags_of(ids), ()
        )
        self.categories: DataLoader[Key, Category | None] = self._loader(
            lambda session, ids, columns: ProductRepository(session).categories_of(ids, columns), None
        )
        self.orders: DataLoader[Key, Order | None] = self._loader(
            lambda session, ids, fields: OrderRepository(session).visible(ids, principal, fields), None
        )

    def _loader(self, read: _Read[T], absent: D) -> DataLoader[Key, T | D]:
        """A value for each key, in their order."""

        async def load(keys: list[Key]) -> list[T | D]:
            names = list(dict.fromkeys(name for name, _ in keys))
            needed = NOTHING.union(*(each for _, each in keys))
            async with self._database.read() as session:
                found = await read(session, names, needed)
            return [found.get(name, absent) for name, _ in keys]

        return DataLoader(load, max_batch_size=MOST_PARAMETERS)
