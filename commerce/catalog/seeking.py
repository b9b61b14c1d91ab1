"""How a list finds its page where a condition may hold for almost all products, or for almost none.

An index in the order of the list leads to the first products of a condition that many meet, and past all products where
it is met by few; those are better looked up, and sorted. SQLite decides on a plan before it knows the values, so that
the statement itself has to ask, and has both ways in it. PostgreSQL knows from its statistics which it is, for prices;
of the beginning of a word it never believes that less than one in two hundred has it, and has to ask as well.
"""

from typing import Any

from sqlalchemy import ColumnElement, Select, case, exists, func, literal_column, null, select, union_all

from commerce.catalog.filters import FilterForm, SortName, in_price_range, is_sold_out
from commerce.catalog.models import DocumentRow, ProductRow, VariantRow
from commerce.catalog.search import has_words
from core.direct import Bind, TellingNumber

FEW = 2_000  # to look up and sort takes some milliseconds, as walking a million products to every 2,000th does
_PRICES = {"min_price", "max_price"}
_NO_LIMIT = {"sqlite": literal_column("-1"), "postgresql": null()}
Page = Select[*tuple[Any, ...]]


def price_bounds(form: FilterForm, sort: SortName | None, bind: Bind) -> list[ColumnElement[bool]]:
    """Where in the order of the lowest price those can be that have a variant in the range. For other orders none: an
    index of prices would be no help there, but SQLite would take it.
    """
    found: list[ColumnElement[bool]] = []
    if sort not in ("price", "-price"):
        return found
    if "max_price" in form.given:
        found.append(ProductRow.price_min <= bind("max_price", TellingNumber()))
    if "min_price" in form.given:
        widest = select(func.max(ProductRow.price_spread)).scalar_subquery()
        found.append(ProductRow.price_min >= bind("min_price", TellingNumber()) - widest)
    return found


def swift(page: Page, reach: ColumnElement[int], form: FilterForm, dialect: str, bind: Bind) -> Page:
    """The page, whose rows are the first `reach` or less of the list."""
    few = _candidates(form, bind, dialect)
    if few is None:
        return page
    asked = select(exists(few.limit(1).offset(FEW)).label("many")).cte()  # once
    many = select(asked.c.many).scalar_subquery()
    looked_up = few.limit(case((many, 0), else_=_NO_LIMIT[dialect])).subquery()
    walked = page.with_only_columns(ProductRow.id).limit(case((many, reach), else_=0)).offset(None).subquery()
    return page.where(ProductRow.id.in_(union_all(select(looked_up), select(walked))))


def _candidates(form: FilterForm, bind: Bind, dialect: str) -> Select[str] | None:
    """The products, and perhaps more, that have the words, or meet a condition on variants; None where the database
    finds the way by itself: by an index of another condition, by SQLite's of the words, by PostgreSQL's statistics.
    """
    if form.is_empty:
        return None
    if form.words is not None:
        return select(DocumentRow.product_id).where(has_words(bind)) if dialect == "postgresql" else None
    if form.given - _PRICES or dialect != "sqlite":
        return None
    statement = select(VariantRow.product_id)
    if form.given:
        return statement.where(*in_price_range(form, bind))
    return statement.where(is_sold_out()) if form.in_stock is False else None
