"""Reads of the catalogue whose JSON the database writes: one statement each, compiled once for each of its forms."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from typing import Any, NamedTuple

from pydantic_core import to_json
from sqlalchemy import ColumnElement, Integer, Select, String, literal_column, null, select

from commerce.catalog.filters import (
    DEFAULT_SORT,
    FilterForm,
    ProductFilter,
    SortName,
    conditions,
    form_of,
    keyset,
    values_of,
)
from commerce.catalog.models import CategoryRow, ProductRow, RetiredHandleRow
from commerce.catalog.projections import CATEGORY, PRODUCT
from commerce.catalog.repository import ProductRepository
from commerce.catalog.search import matching
from commerce.catalog.seeking import price_bounds, swift
from commerce.catalog.sharing import CATALOG, tags_of_total
from commerce.catalog.text import is_storable
from core.cache.objects import Kind, ObjectCache
from core.database import Database
from core.direct import Bind, Row, Sql, compiled, named
from core.pagination import Keyset, Page
from core.projections.fields import Shape
from core.projections.items import Item, ItemSlice, item_of
from core.projections.listing import Paging, counted, listed, slice_of, total_of
from core.repository import among

PUBLISHED = ProductRow.status == literal_column("'active'", String())  # what those see who do not see all
# As far as a total is counted each time that it is asked for. More is counted once for all who ask, in any process.
COUNT_TO = 10_001
_TOTAL = Kind("catalog.total", int)
_KEPT = 500  # statements: of a list there are more forms than anybody asks for


@dataclass(frozen=True, slots=True)
class Listing:
    """Which products are asked for: all of it that decides how the statement is written."""

    form: FilterForm
    sort: SortName | None  # None: the best match first where there is a query

    @property
    def is_ranked(self) -> bool:
        return self.form.words is not None and self.sort is None

    @property
    def is_in_index(self) -> bool:
        """Whether its order is one of an index. A tag's products are not copied to it by when they were changed."""
        return self.form.words is None and not (self.form.tagged and self.sort in ("updated_at", "-updated_at"))

    @property
    def keyset(self) -> Keyset:
        """That of the cursors. How well a product fits is a column of the statement alone."""
        if self.is_ranked:
            return _ranked(literal_column("0", Integer()))
        return keyset(self.sort or DEFAULT_SORT, tagged=self.form.tagged)


class Counts(NamedTuple):
    """Of the whole catalogue."""

    by_status: dict[str, int]  # products
    variants: int


_COUNTS = Kind("catalog.counts", Counts)


def product_list(
    listing: Listing, paging: Paging, json: ColumnElement[str], dialect: str, bind: Bind
) -> Select[*tuple[Any, ...]]:
    """As `listed` has it, with the values of `values_of`."""
    wanted, order = _wanted(listing, dialect, bind)
    # The best match is known when all are: there is one way to it.
    road = {} if listing.is_ranked else {"found_by": partial(swift, form=listing.form, dialect=dialect, bind=bind)}
    return listed(wanted, order, ProductRow.version, json, paging, dialect, bind, in_index=listing.is_in_index, **road)


def product_count(listing: Listing, dialect: str, bind: Bind, *, count_to: int | None = COUNT_TO) -> Select[int]:
    """How many products the list has on all pages; no more than `count_to`."""
    wanted, _ = _wanted(listing, dialect, bind)
    return counted(wanted, count_to)


def _wanted(listing: Listing, dialect: str, bind: Bind) -> tuple[Select[*tuple[Any, ...]], Keyset]:
    """The ids of all, and their order."""
    wanted: Select[*tuple[Any, ...]] = select(ProductRow.id).where(*conditions(listing.form, bind))
    wanted = wanted.where(*price_bounds(listing.form, listing.sort, bind))
    if listing.form.words is None:
        return wanted, listing.keyset
    wanted, fit = matching(wanted, listing.form.words, bind, dialect)
    return wanted, _ranked(fit) if listing.is_ranked else listing.keyset


def _ranked(fit: ColumnElement[int]) -> Keyset:
    return Keyset("match", fit, ProductRow.id, descending=True)  # type: ignore[arg-type]


def one_product(json: ColumnElement[str], by: str, bind: Bind, *, include_unpublished: bool) -> Select[str, str, int]:
    """`json`, id and version of the product whose `id` or `handle` is the value `named`."""
    column = ProductRow.id if by == "id" else ProductRow.handle
    statement = select(json, ProductRow.id, ProductRow.version).where(column == bind("named", String()))
    return statement if include_unpublished else statement.where(PUBLISHED)


_NO_JSON: ColumnElement[Any] = null()


def _json(shape: Shape | None, dialect: str, *, only_keys: bool) -> ColumnElement[str]:
    return _NO_JSON if only_keys else PRODUCT.json(shape, dialect)


@lru_cache(_KEPT)
def _list_sql(listing: Listing, paging: Paging, dialect: str, only_keys: bool) -> Sql:
    json = _json(None, dialect, only_keys=only_keys)
    return compiled(product_list(listing, paging, json, dialect, named()), dialect)


@lru_cache(_KEPT)
def _count_sql(form: FilterForm, dialect: str, count_to: int | None) -> Sql:
    return compiled(product_count(Listing(form, DEFAULT_SORT), dialect, named(), count_to=count_to), dialect)


@lru_cache
def _one_sql(by: str, dialect: str, include_unpublished: bool, only_keys: bool) -> Sql:
    json = _json(None, dialect, only_keys=only_keys)
    return compiled(one_product(json, by, named(), include_unpublished=include_unpublished), dialect)


@lru_cache(_KEPT)
def _among_sql(form: FilterForm, dialect: str, only_keys: bool) -> Sql:
    json, bind = _json(None, dialect, only_keys=only_keys), named()
    statement = select(json, ProductRow.id, ProductRow.version).where(*conditions(form, bind))
    return compiled(statement.where(among(ProductRow.id, "ids", bind, dialect)), dialect)


@lru_cache
def _renamed_sql(dialect: str, include_unpublished: bool) -> Sql:
    statement = select(ProductRow.handle).join(RetiredHandleRow)
    statement = statement.where(RetiredHandleRow.handle == named()("named", String()))
    return compiled(statement if include_unpublished else statement.where(PUBLISHED), dialect)


@lru_cache
def _categories_sql(dialect: str) -> Sql:
    return compiled(select(CATEGORY.json(None, dialect)).order_by(CategoryRow.name), dialect)


class CatalogReader:
    """Whole products as REST shows them. `only_keys` leaves their JSON out: to say whether a reader's copy is good.

    Totals of more than 10,000 are found in the `cache` where there is one: of a moment that is not the page's.
    """

    def __init__(self, database: Database, cache: ObjectCache | None = None) -> None:
        self._database = database
        self._cache = cache

    async def page(
        self, wanted: ProductFilter, sort: SortName | None, *, page: int, size: int, only_keys: bool = False
    ) -> Page[Item]:
        """A numbered page; the best match first where there is a query and no `sort`."""
        listing, paging = Listing(form_of(wanted), sort), Paging(size, offset=page > 1, count=True, count_to=COUNT_TO)
        rows = await self._rows(listing, paging, wanted, {"offset": (page - 1) * size}, only_keys=only_keys)
        total = await self._total(rows, wanted, is_first=page == 1)
        return Page([item_of(row) for row in rows], page, size, total)

    async def slice(
        self,
        wanted: ProductFilter,
        sort: SortName | None,
        *,
        limit: int,
        after: str | None,
        count: bool = False,
        only_keys: bool = False,
    ) -> ItemSlice:
        """A keyset page, in the order of `page`. Raises InvalidCursor."""
        listing = Listing(form_of(wanted), sort)
        paging = Paging(limit + 1, after=after is not None, count=count, count_to=COUNT_TO if count else None)
        position = listing.keyset.position_of(after) if after is not None else {}
        rows = await self._rows(listing, paging, wanted, position, only_keys=only_keys)
        total = await self._total(rows, wanted, is_first=after is None) if count else None
        return slice_of(rows, listing.keyset, limit, total)

    async def _total(self, rows: Sequence[Row], wanted: ProductFilter, *, is_first: bool) -> int:
        found = total_of(rows, is_first=is_first)
        return await self.total(wanted) if found is None else await self.whole_total(wanted, found)

    async def total(self, wanted: ProductFilter) -> int:
        """How many products fit in all."""
        return await self.whole_total(wanted, await self._count(wanted, COUNT_TO))

    async def whole_total(self, wanted: ProductFilter, counted: int) -> int:
        """The total, of one that was counted as far as COUNT_TO."""
        if counted < COUNT_TO:
            return counted
        count = partial(self._count, wanted, None)
        if self._cache is None:
            return await count()
        tags = tags_of_total(of_stock=wanted.in_stock is not None)
        return await self._cache.get(_TOTAL, to_json(asdict(wanted)), tags, count)

    async def counts(self) -> Counts:
        """Takes going through the whole catalogue."""
        if self._cache is None:
            return await self._counts()
        return await self._cache.get(_COUNTS, b"", (CATALOG,), self._counts)

    async def _counts(self) -> Counts:
        async with self._database.read() as session:
            return Counts(*await ProductRepository(session).counts())

    async def _count(self, wanted: ProductFilter, count_to: int | None) -> int:
        dialect = self._database.dialect
        rows = await self._database.fetch(_count_sql(form_of(wanted), dialect, count_to), values_of(wanted, dialect))
        return int(rows[0][0])

    async def _rows(
        self, listing: Listing, paging: Paging, wanted: ProductFilter, values: Mapping[str, Any], *, only_keys: bool
    ) -> list[Row]:
        dialect = self._database.dialect
        sql = _list_sql(listing, paging, dialect, only_keys)
        return await self._database.fetch(sql, {**values_of(wanted, dialect), **values})

    async def one(self, id_or_handle: str, *, include_unpublished: bool, only_keys: bool = False) -> Item | None:
        if not is_storable(id_or_handle):
            return None
        by = "id" if id_or_handle.startswith("prod_") else "handle"
        sql = _one_sql(by, self._database.dialect, include_unpublished, only_keys)
        rows = await self._database.fetch(sql, {"named": id_or_handle})
        return item_of(rows[0]) if rows else None

    async def among(self, ids: Sequence[str], wanted: ProductFilter, *, only_keys: bool = False) -> dict[str, Item]:
        """Those of these products that meet all conditions but the query, by id."""
        if not ids:
            return {}
        dialect, without_query = self._database.dialect, replace(wanted, q=None)
        sql = _among_sql(form_of(without_query), dialect, only_keys)
        rows = await self._database.fetch(sql, {**values_of(without_query, dialect), "ids": list(ids)})
        return {row[1]: item_of(row) for row in rows}

    async def handle_after_rename(self, retired: str, *, include_unpublished: bool) -> str | None:
        """The present handle of the product that was once called `retired`."""
        if not is_storable(retired):
            return None
        sql = _renamed_sql(self._database.dialect, include_unpublished)
        rows = await self._database.fetch(sql, {"named": retired})
        return rows[0][0] if rows else None

    async def categories(self) -> list[str]:
        """The JSON of each, by name."""
        return [row[0] for row in await self._database.fetch(_categories_sql(self._database.dialect), {})]
