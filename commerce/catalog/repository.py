"""Every read of the catalogue. The number of statements never depends on the number of rows."""

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Row, Select, func, select
from sqlalchemy.orm import InstrumentedAttribute

from commerce.catalog.entities import Category, Image, Product, ProductHead, Variant
from commerce.catalog.filters import DEFAULT_SORT, ProductFilter, SortName, form_of, keyset, narrow
from commerce.catalog.models import CategoryRow, ImageRow, ProductRow, RetiredHandleRow, TagRow, VariantRow
from commerce.catalog.search import matching, search_values, words_of
from commerce.catalog.text import is_storable
from core.database import Database
from core.direct import filled
from core.pagination import Keyset, Slice
from core.repository import Repository, parameter_chunks, reading

E = TypeVar("E", Variant, Image)
Columns = Collection[str] | None  # the fields of the entity that are read; None: all


_HEAD = reading(ProductHead, ProductRow).columns
_CATEGORY = reading(Category, CategoryRow).columns


@dataclass(frozen=True, slots=True)
class ProductKey:
    """Enough to say whether a reader's copy is still good."""

    id: str
    version: int


@dataclass(frozen=True, slots=True)
class SkuOwner:
    product_id: str
    handle: str


@dataclass(frozen=True, slots=True)
class ExtraNames:
    """The names of all kept values that have no field, and what decides where an export writes them."""

    product: set[str]
    variant: set[tuple[str, bool, bool]]  # with whether it is the product's first variant, and whether stock is tracked
    image: set[str]


class ProductRepository(Repository):
    async def slice(
        self, wanted: ProductFilter, sort: SortName | None, *, limit: int, after: str | None, count: bool = False
    ) -> Slice[ProductKey]:
        """A keyset page of keys; the best match first where there is a query and no `sort`. Raises InvalidCursor."""
        columns = (ProductRow.id, ProductRow.version)
        found = await self._slice(columns, wanted, sort, limit=limit, after=after, count=count)
        keys = [ProductKey(row.id, row.version) for row in found.items]
        return Slice(keys, found.cursors, found.has_next, found.total)

    async def slice_of_heads(
        self, wanted: ProductFilter, sort: SortName | None, *, limit: int, after: str | None, columns: Columns = None
    ) -> Slice[ProductHead]:
        """The same page, of the products themselves. Raises InvalidCursor."""
        head = reading(ProductHead, ProductRow, columns, "id")
        found = await self._slice(head.columns, wanted, sort, limit=limit, after=after)
        return Slice([head.of(row) for row in found.items], found.cursors, found.has_next)

    async def _slice(
        self,
        columns: Sequence[Any],
        wanted: ProductFilter,
        sort: SortName | None,
        *,
        limit: int,
        after: str | None,
        count: bool = False,
    ) -> Slice[Row[Any]]:
        statement, order = self._wanted(columns, wanted, sort)
        statement = statement.add_columns(order.column.label("sort_value"))
        return await self.keyset_page(statement, order, limit=limit, after=after, count=count)

    def _wanted(
        self, columns: Sequence[Any], wanted: ProductFilter, sort: SortName | None
    ) -> tuple[Select[*tuple[Any, ...]], Keyset]:
        statement: Select[*tuple[Any, ...]] = narrow(select(*columns), wanted, self.dialect)
        order = keyset(sort or DEFAULT_SORT, tagged=form_of(wanted).tagged)
        if wanted.q is not None:
            bind = filled(search_values(wanted.q, self.dialect))
            statement, fit = matching(statement, len(words_of(wanted.q)), bind, self.dialect)
            order = order if sort else Keyset("match", fit, order.tie_breaker, descending=True)
        return statement, order

    async def key_of(self, id_or_handle: str, *, include_unpublished: bool) -> ProductKey | None:
        if not is_storable(id_or_handle):
            return None
        named = ProductRow.id if id_or_handle.startswith("prod_") else ProductRow.handle
        statement = select(ProductRow.id, ProductRow.version).where(named == id_or_handle)
        if not include_unpublished:
            statement = statement.where(ProductRow.status == "active")
        row = (await self._session.execute(statement)).one_or_none()
        return ProductKey(row.id, row.version) if row else None

    async def lock(self, product_id: str) -> ProductKey | None:
        """The key, held against other writers until the transaction ends."""
        if not is_storable(product_id):
            return None
        statement = select(ProductRow.id, ProductRow.version).where(ProductRow.id == product_id).with_for_update()
        row = (await self._session.execute(statement)).one_or_none()
        return ProductKey(row.id, row.version) if row else None

    async def products(self, ids: Sequence[str]) -> list[Product]:
        """Whole products in the order of `ids`, without those that are gone. Four statements."""
        if not ids:
            return []
        statement = select(*_HEAD, *_CATEGORY).outerjoin(CategoryRow).where(ProductRow.id.in_(ids))
        rows = (await self._session.execute(statement)).all()
        variants, images, tags = await self.variants_of(ids), await self.images_of(ids), await self.tags_of(ids)
        width = len(_HEAD)
        found = {
            row[0]: Product(
                ProductHead(*row[:width]),
                Category(*row[width:]) if row[width] else None,
                tuple(tags[row[0]]),
                tuple(variants[row[0]]),
                tuple(images[row[0]]),
            )
            for row in rows
        }
        return [found[product_id] for product_id in ids if product_id in found]

    async def heads(self, ids: Sequence[str], columns: Columns = None) -> dict[str, ProductHead]:
        head = reading(ProductHead, ProductRow, columns, "id")
        rows = await self._session.execute(select(*head.columns).where(ProductRow.id.in_(ids)))
        return {row.id: head.of(row) for row in rows}

    async def heads_named(self, handles: Sequence[str], columns: Columns = None) -> dict[str, ProductHead]:
        """By handle; one of the past finds the product that had it. One statement, two where a handle is not found."""
        head = reading(ProductHead, ProductRow, columns, "id")
        found: dict[str, ProductHead] = {}
        past = select(*head.columns, RetiredHandleRow.handle.label("named")).join(RetiredHandleRow)
        for statement, named in (
            (select(*head.columns, ProductRow.handle.label("named")), ProductRow.handle),
            (past, RetiredHandleRow.handle),
        ):
            sought = [handle for handle in handles if handle not in found and is_storable(handle)]
            if sought:
                rows = await self._session.execute(statement.where(named.in_(sought)))
                found |= {row.named: head.of(row) for row in rows}
        return found

    async def head_of(
        self, id_or_handle: str, columns: Columns = None, *, include_unpublished: bool
    ) -> ProductHead | None:
        """By id or handle, also one of the past; its `status` is always read."""
        if not is_storable(id_or_handle):
            return None
        wanted = None if columns is None else {*columns, "status"}
        find = self.heads if id_or_handle.startswith("prod_") else self.heads_named
        head = (await find([id_or_handle], wanted)).get(id_or_handle)
        return head if head is not None and (include_unpublished or head.status == "active") else None

    async def variants_of(self, product_ids: Sequence[str], columns: Columns = None) -> dict[str, list[Variant]]:
        return await self._children(Variant, VariantRow, product_ids, columns)

    async def variants(self, ids: Sequence[str], columns: Columns = None) -> dict[str, tuple[Variant, ProductHead]]:
        """By id, each with what says whether its product is shown, and of which currency its price is."""
        variant = reading(Variant, VariantRow, columns, "id", "product_id")
        head = reading(ProductHead, ProductRow, ("id", "status", "currency"))
        statement = select(*variant.columns, *head.columns).join(ProductRow).where(VariantRow.id.in_(ids))
        found = [
            (variant.of(row), head.of(row[len(variant.columns) :])) for row in await self._session.execute(statement)
        ]
        return {each.id: (each, product) for each, product in found}

    async def images_of(self, product_ids: Sequence[str], columns: Columns = None) -> dict[str, list[Image]]:
        return await self._children(Image, ImageRow, product_ids, columns)

    async def _children(
        self, entity: type[E], row: Any, product_ids: Sequence[str], columns: Columns
    ) -> dict[str, list[E]]:
        child = reading(entity, row, columns, "product_id")
        statement = select(*child.columns).where(row.product_id.in_(product_ids)).order_by(row.product_id, row.position)
        found: dict[str, list[E]] = defaultdict(list)
        for values in await self._session.execute(statement):
            found[values.product_id].append(child.of(values))
        return found

    async def tags_of(self, product_ids: Sequence[str]) -> dict[str, list[str]]:
        statement = (
            select(TagRow.product_id, TagRow.tag)
            .where(TagRow.product_id.in_(product_ids))
            .order_by(TagRow.product_id, TagRow.position)
        )
        found: dict[str, list[str]] = defaultdict(list)
        for row in await self._session.execute(statement):
            found[row.product_id].append(row.tag)
        return found

    async def ids_by_handle(self, handles: Sequence[str]) -> dict[str, str]:
        rows = await self._session.execute(
            select(ProductRow.handle, ProductRow.id).where(ProductRow.handle.in_(filter(is_storable, handles)))
        )
        return {row.handle: row.id for row in rows}

    async def lock_by_handle(self, handles: Sequence[str]) -> dict[str, str]:
        """As `ids_by_handle`, each held against other writers; always in one order, so that two do not deadlock."""
        storable = filter(is_storable, handles)
        statement = select(ProductRow.handle, ProductRow.id).where(ProductRow.handle.in_(storable))
        rows = await self._session.execute(statement.order_by(ProductRow.id).with_for_update())
        return {row.handle: row.id for row in rows}

    async def sku_owners(self, skus: Sequence[str]) -> dict[str, SkuOwner]:
        """The products that have these SKUs, by SKU."""
        statement = select(VariantRow.sku, ProductRow.id, ProductRow.handle).join(ProductRow)
        found: dict[str, SkuOwner] = {}
        for some in parameter_chunks(skus):
            for row in await self._session.execute(statement.where(VariantRow.sku.in_(some))):
                found[str(row.sku)] = SkuOwner(row.id, row.handle)
        return found

    async def categories(self, columns: Columns = None) -> list[Category]:
        """All of them, by name."""
        category = reading(Category, CategoryRow, columns, "id")
        rows = await self._session.execute(select(*category.columns).order_by(CategoryRow.name))
        return [category.of(row) for row in rows]

    async def categories_of(self, ids: Sequence[str], columns: Columns = None) -> dict[str, Category]:
        category = reading(Category, CategoryRow, columns, "id")
        rows = await self._session.execute(select(*category.columns).where(CategoryRow.id.in_(ids)))
        return {row.id: category.of(row) for row in rows}

    async def categories_named(self, names: Sequence[str]) -> list[Category]:
        statement = select(*_CATEGORY).where(CategoryRow.name.in_(names))
        return [Category(*row) for row in await self._session.execute(statement)]

    async def on_sale(self, *, at_most: int) -> int:
        """How many products are, counted no further than asked."""
        some = select(ProductRow.id).where(ProductRow.status == "active").limit(at_most).subquery()
        return int(await self._session.scalar(select(func.count()).select_from(some)))

    async def counts(self) -> tuple[dict[str, int], int]:
        """Products by status, and variants."""
        statement = select(ProductRow.status, func.count().label("products")).group_by(ProductRow.status)
        by_status = await self._session.execute(statement)
        variants = await self._session.scalar(select(func.count()).select_from(VariantRow))
        return {row.status: row.products for row in by_status}, int(variants)

    async def ids_after(self, last: str, limit: int, *, include_unpublished: bool) -> list[str]:
        """The next ids in the order of their making: how an export walks the catalogue."""
        statement = select(ProductRow.id).where(ProductRow.id > last).order_by(ProductRow.id).limit(limit)
        if not include_unpublished:
            statement = statement.where(ProductRow.status == "active")
        return list(await self._session.scalars(statement))

    async def extra_names(self) -> ExtraNames:
        variants = _json_keys(VariantRow.extra, self.dialect).add_columns(
            (VariantRow.position == 0).label("first"), VariantRow.stock.is_not(None).label("tracked")
        )
        return ExtraNames(
            product=set(await self._session.scalars(_json_keys(ProductRow.extra, self.dialect))),
            variant={(row.key, row.first, row.tracked) for row in await self._session.execute(variants)},
            image=set(await self._session.scalars(_json_keys(ImageRow.extra, self.dialect))),
        )

    async def currencies(self) -> set[str]:
        """The currencies of all prices."""
        return set(await self._session.scalars(select(ProductRow.currency).distinct()))


def _json_keys(column: InstrumentedAttribute[dict[str, str]], dialect: str) -> Select[tuple[str]]:
    function = func.json_each(column) if dialect == "sqlite" else func.json_object_keys(column)
    keys = function.table_valued("key", joins_implicitly=True)
    if dialect == "postgresql":
        keys = keys.render_derived()
    return select(keys.c.key).select_from(column.class_, keys).distinct()


async def walk(database: Database, *, include_unpublished: bool, batch: int) -> AsyncIterator[list[Product]]:
    """The whole catalogue in batches, oldest first: memory is bounded by one batch.

    Each batch is read in a session of its own, so that a slow reader of the whole holds no connection.
    """
    last = ""
    while True:
        async with database.read_report() as session:
            repository = ProductRepository(session)
            ids = await repository.ids_after(last, batch, include_unpublished=include_unpublished)
            products = await repository.products(ids)
        if not ids:
            return
        yield products
        last = ids[-1]
