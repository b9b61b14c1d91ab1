"""Reads of the catalogue whose JSON the database writes: one statement each, compiled once for each of its forms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, String, func, literal_column, null, select

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
from commerce.catalog.search import matching
from commerce.catalog.seeking import price_bounds, swift
from commerce.catalog.text import is_storable
from core.database import Database
from core.direct import Bind, Row, Sql, compiled, named
from core.pagination import Keyset, Page, Slice
from core.projections.fields import Shape
from core.projections.items import Item, item_of

_KEPT = 500  # statements: of a list there are more forms than anybody asks for


@dataclass(frozen=True, slots=True)
class Listing:
    """How a list is asked for: all that decides how its statement is written."""

    form: FilterForm
    sort: SortName | None
    by_cursor: bool = False  # as a keyset page, from the beginning or after a cursor
    after: bool = False
    count: bool = False

    @property
    def keyset(self) -> Keyset | None:
        """Its order, where that is not how well a product matches."""
        if self.form.words is not None and self.sort is None:
            return None
        return keyset(self.sort or DEFAULT_SORT, tagged=self.form.tagged)


def order_of(listing: Listing) -> Keyset:
    """For the cursors of its rows, whose sort value the statement selects."""
    return listing.keyset or Keyset("match", literal_column("0", Integer()), ProductRow.id, descending=True)  # type: ignore[arg-type]


def product_list(listing: Listing, json: ColumnElement[str], dialect: str, bind: Bind) -> Select[*tuple[Any, ...]]:
    """Of each product of a page: `json`, id, version, sort value, and the total or NULL.

    First the page is found, and then the JSON made: where the database has to sort, it does not sort JSON. Values:
    `limit`; `offset` of a numbered page; `after_value` and `after_id`; those of `values_of`.
    """
    wanted, order = _wanted(listing, dialect, bind)
    total: ColumnElement[Any] = null()
    if listing.count:
        total = select(func.count()).select_from(wanted.subquery()).scalar_subquery()
    page = wanted.add_columns(order.column.label("sort_value"), order.shown(dialect).label("shown"))
    if listing.after:
        page = page.where(*order.following(bind))
    reach: ColumnElement[int] = bind("limit", Integer())
    page = page.where(*price_bounds(listing.form, listing.sort, bind)).order_by(*order.order()).limit(reach)
    if not listing.by_cursor:
        page = page.offset(bind("offset", Integer()))
        reach = reach + bind("offset", Integer())
    keys = swift(page, listing.form, reach, dialect, bind).cte()
    again = Keyset(order.name, keys.c.sort_value, keys.c.id, order.descending)
    found = select(json, keys.c.id, ProductRow.version, keys.c.shown, total)
    return found.select_from(keys).join(ProductRow, ProductRow.id == keys.c.id).order_by(*again.order())


def _wanted(listing: Listing, dialect: str, bind: Bind) -> tuple[Select[*tuple[Any, ...]], Keyset]:
    statement: Select[*tuple[Any, ...]] = select(ProductRow.id).where(*conditions(listing.form, bind))
    fit: ColumnElement[int] | None = None
    if listing.form.words is not None:
        statement, fit = matching(statement, listing.form.words, bind, dialect)
    order = listing.keyset or Keyset("match", fit, ProductRow.id, descending=True)  # type: ignore[arg-type]
    return statement, order


def one_product(json: ColumnElement[str], by: str, bind: Bind, *, include_unpublished: bool) -> Select[str, str, int]:
    """`json`, id and version of the product whose `id` or `handle` is the value `named`."""
    column = ProductRow.id if by == "id" else ProductRow.handle
    statement = select(json, ProductRow.id, ProductRow.version).where(column == bind("named", String()))
    return statement if include_unpublished else statement.where(_PUBLISHED)


_PUBLISHED = ProductRow.status == literal_column("'active'", String())
_NO_JSON: ColumnElement[Any] = null()


def _json(shape: Shape | None, dialect: str, *, only_keys: bool) -> ColumnElement[str]:
    return _NO_JSON if only_keys else PRODUCT.json(shape, dialect)


@lru_cache(_KEPT)
def _list_sql(listing: Listing, dialect: str, only_keys: bool) -> Sql:
    json = _json(None, dialect, only_keys=only_keys)
    return compiled(product_list(listing, json, dialect, named()), dialect)


@lru_cache
def _one_sql(by: str, dialect: str, include_unpublished: bool, only_keys: bool) -> Sql:
    json = _json(None, dialect, only_keys=only_keys)
    return compiled(one_product(json, by, named(), include_unpublished=include_unpublished), dialect)


@lru_cache
def _renamed_sql(dialect: str, include_unpublished: bool) -> Sql:
    statement = select(ProductRow.handle).join(RetiredHandleRow)
    statement = statement.where(RetiredHandleRow.handle == named()("named", String()))
    return compiled(statement if include_unpublished else statement.where(_PUBLISHED), dialect)


@lru_cache
def _categories_sql(dialect: str) -> Sql:
    return compiled(select(CATEGORY.json(None, dialect)).order_by(CategoryRow.name), dialect)


class CatalogReader:
    """Whole products as REST shows them. `only_keys` leaves their JSON out: to say whether a reader's copy is good."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, wanted: ProductFilter, sort: SortName | None, *, page: int, size: int, only_keys: bool = False
    ) -> Page[Item]:
        """A numbered page; the best match first where there is a query and no `sort`."""
        listing = Listing(form_of(wanted), sort, count=True)
        values = {"limit": size, "offset": (page - 1) * size}
        rows = await self._rows(listing, wanted, values, only_keys=only_keys)
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
    ) -> Slice[Item]:
        """A keyset page, in the order of `page`. Raises InvalidCursor."""
        listing = Listing(form_of(wanted), sort, by_cursor=True, after=after is not None, count=count)
        order = order_of(listing)
        values = {"limit": limit + 1, **(order.position_of(after) if after is not None else {})}
        rows = await self._rows(listing, wanted, values, only_keys=only_keys)
        return Slice(
            items=[item_of(row) for row in rows[:limit]],
            cursors=[order.encode(row[3], row[1]) for row in rows[:limit]],
            has_next=len(rows) > limit,
            total=await self._total(rows, wanted, is_first=after is None) if count else None,
        )

    async def _total(self, rows: Sequence[Row], wanted: ProductFilter, *, is_first: bool) -> int:
        """Every row tells it; behind the last there is none."""
        if not rows and not is_first:
            first = Listing(form_of(wanted), DEFAULT_SORT, count=True)
            rows = await self._rows(first, wanted, {"limit": 1, "offset": 0}, only_keys=True)
        return rows[0][4] if rows else 0

    async def _rows(
        self, listing: Listing, wanted: ProductFilter, values: Mapping[str, Any], *, only_keys: bool
    ) -> list[Row]:
        dialect = self._database.dialect
        sql = _list_sql(listing, dialect, only_keys)
        return await self._database.fetch(sql, {**values_of(wanted, dialect), **values})

    async def one(self, id_or_handle: str, *, include_unpublished: bool, only_keys: bool = False) -> Item | None:
        if not is_storable(id_or_handle):
            return None
        by = "id" if id_or_handle.startswith("prod_") else "handle"
        sql = _one_sql(by, self._database.dialect, include_unpublished, only_keys)
        rows = await self._database.fetch(sql, {"named": id_or_handle})
        return item_of(rows[0]) if rows else None

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
