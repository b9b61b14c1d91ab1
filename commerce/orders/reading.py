"""Reads of orders whose JSON the database writes: one statement each, compiled once for each of its forms."""

from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Select, String, null, select

from commerce.accounts.principal import Principal
from commerce.catalog.text import is_storable
from commerce.orders.filters import (
    NEWEST,
    FilterForm,
    OrderFilter,
    Sight,
    conditions,
    form_of,
    sight_of,
    values_of,
    visible,
)
from commerce.orders.models import OrderRow
from commerce.orders.projections import ORDER
from core.database import Database
from core.direct import Bind, Sql, compiled, named
from core.pagination import Page
from core.projections.items import Item, item_of
from core.projections.listing import Paging, counted, listed, total_of

_KEPT = 500  # statements: of a list there are more forms than anybody asks for


def order_list(
    form: FilterForm, sight: Sight, paging: Paging, json: ColumnElement[str], dialect: str, bind: Bind
) -> Select[*tuple[Any, ...]]:
    """As `listed` has it, newest first, with the values of `values_of` and `visible`."""
    return listed(_wanted(form, sight, bind), NEWEST, OrderRow.version, json, paging, dialect, bind, in_index=True)


def order_count(form: FilterForm, sight: Sight, bind: Bind) -> Select[int]:
    """How many orders the list has on all pages."""
    return counted(_wanted(form, sight, bind))


def _wanted(form: FilterForm, sight: Sight, bind: Bind) -> Select[*tuple[Any, ...]]:
    """The ids of all."""
    return select(OrderRow.id).where(*conditions(form, sight, bind))


def one_order(json: ColumnElement[str], sight: Sight, bind: Bind) -> Select[str, str, int]:
    """`json`, id and version of the order whose id is the value `named`."""
    named_so = OrderRow.id == bind("named", String())
    return select(json, OrderRow.id, OrderRow.version).where(named_so, visible(sight, bind))


def _json(dialect: str, *, only_keys: bool) -> ColumnElement[Any]:
    return null() if only_keys else ORDER.json(None, dialect)


@lru_cache(_KEPT)
def _list_sql(form: FilterForm, sight: Sight, paging: Paging, dialect: str, only_keys: bool) -> Sql:
    json = _json(dialect, only_keys=only_keys)
    return compiled(order_list(form, sight, paging, json, dialect, named()), dialect)


@lru_cache
def _one_sql(sight: Sight, dialect: str, only_keys: bool) -> Sql:
    return compiled(one_order(_json(dialect, only_keys=only_keys), sight, named()), dialect)


class OrderReader:
    """Whole orders as REST shows them to a principal. `only_keys` leaves their JSON out."""

    def __init__(self, database: Database, principal: Principal) -> None:
        self._database = database
        self._sight = sight_of(principal)
        self._user = {"user_id": principal.user_id}

    async def page(self, wanted: OrderFilter, *, page: int, size: int, only_keys: bool = False) -> Page[Item]:
        """A numbered page, newest first."""
        paging = Paging(size, offset=page > 1, count=True)
        sql = _list_sql(form_of(wanted), self._sight, paging, self._database.dialect, only_keys)
        values = {**values_of(wanted), **self._user, "offset": (page - 1) * size}
        rows = await self._database.fetch(sql, values)
        total = total_of(rows, is_first=page == 1)
        if total is None:
            total = (await self.page(wanted, page=1, size=1, only_keys=True)).total
        return Page([item_of(row) for row in rows], page, size, total)

    async def one(self, order_id: str, *, only_keys: bool = False) -> Item | None:
        """None for an order that the principal may not see."""
        if not is_storable(order_id):
            return None
        sql = _one_sql(self._sight, self._database.dialect, only_keys)
        rows = await self._database.fetch(sql, {"named": order_id, **self._user})
        return item_of(rows[0]) if rows else None
