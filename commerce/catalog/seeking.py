"""How a list finds its page where a condition may hold for almost all products, or for almost none.

An index in the order of the list leads to the first products of a condition that many meet, and past all products where
it is met by few; those are better looked up, and sorted. PostgreSQL knows from its statistics which it is. SQLite
decides on a plan before it knows the values, so that the statement itself has to ask, and has both ways in it.
"""

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, case, exists, func, select, union_all

from commerce.catalog.filters import FilterForm, SortName, in_price_range, is_sold_out
from commerce.catalog.models import ProductRow, VariantRow
from core.direct import Bind

FEW = 2_000  # to look up and sort takes some milliseconds, as walking a million products to every 2,000th does
_PRICES = {"min_price", "max_price"}
Page = Select[*tuple[Any, ...]]


def price_bounds(form: FilterForm, sort: SortName | None, bind: Bind) -> list[ColumnElement[bool]]:
    """Where in the order of the lowest price those can be that have a variant in the range. For other orders none: an
    index of prices would be no help there, but SQLite would take it.
    """
    found: list[ColumnElement[bool]] = []
    if sort not in ("price", "-price"):
        return found
    if "max_price" in form.given:
        found.append(ProductRow.price_min <= bind("max_price", BigInteger()))
    if "min_price" in form.given:
        widest = select(func.max(ProductRow.price_spread)).scalar_subquery()
        found.append(ProductRow.price_min >= bind("min_price", BigInteger()) - widest)
    return found


def swift(page: Page, reach: ColumnElement[int], form: FilterForm, dialect: str, bind: Bind) -> Page:
    """The page, whose rows are the first `reach` or less of the list. It must select from products alone."""
    few = _candidates(form, bind)
    if few is None or dialect != "sqlite":
        return page
    many = exists(few.limit(1).offset(FEW))
    looked_up = few.limit(case((many, 0), else_=-1)).subquery()
    walked = page.with_only_columns(ProductRow.id).limit(case((many, reach), else_=0)).offset(None).subquery()
    return page.where(ProductRow.id.in_(union_all(select(looked_up), select(walked))))


def _candidates(form: FilterForm, bind: Bind) -> Select[str] | None:
    """The products, and perhaps more, that meet a condition on variants; None where a condition on products leads to
    an index of its own, or a query to that of the words.
    """
    if form.is_empty or form.words is not None or form.given - _PRICES:
        return None
    statement = select(VariantRow.product_id)
    if form.given:
        return statement.where(*in_price_range(form, bind))
    return statement.where(is_sold_out()) if form.in_stock is False else None
