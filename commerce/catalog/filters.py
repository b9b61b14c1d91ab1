"""How a list of products is narrowed and ordered: one typed model for REST and GraphQL."""

from dataclasses import dataclass, fields
from functools import cache
from typing import Any, Literal, TypeVar, get_args

from sqlalchemy import ColumnElement, Select, String, and_, exists, false, func, literal_column, or_, select
from sqlalchemy.orm import aliased

from commerce.catalog.models import CategoryRow, ProductRow, TagRow, VariantRow
from commerce.catalog.search import search_values, words_of
from commerce.catalog.text import is_storable
from core.direct import Bind, TellingNumber, filled
from core.errors import Invalid
from core.money import MAX_AMOUNT
from core.pagination import Keyset

SortName = Literal[
    "title", "-title", "price", "-price", "created_at", "-created_at", "updated_at", "-updated_at"
]  # `-`: descending
SORT_NAMES: tuple[SortName, ...] = get_args(SortName)
DEFAULT_SORT: SortName = "-created_at"
MAX_QUERY = 200  # characters
MAX_PRICE = 2**53  # the largest number of which JavaScript knows every digit; more than any price may be
S = TypeVar("S", bound=Select[*tuple[Any, ...]])


@dataclass(frozen=True, slots=True)
class ProductFilter:
    """All given conditions must hold. Prices are minor units; a product fits if one of its variants is in the range."""

    q: str | None = None
    category: str | None = None  # its slug or its name; where one has the slug that is another's name, the slug
    vendor: str | None = None
    tag: str | None = None
    min_price: int | None = None
    max_price: int | None = None
    in_stock: bool | None = None
    include_unpublished: bool = False


# What callers may say; whether they see the unpublished follows from who they are.
FILTERS = tuple(each.name for each in fields(ProductFilter) if each.name != "include_unpublished")


def require_bounds(wanted: ProductFilter) -> None:
    """Raises Invalid."""
    if wanted.q is not None and len(wanted.q) > MAX_QUERY:
        raise Invalid(f"a query of {len(wanted.q)} characters; at most {MAX_QUERY} are taken")
    for price in (wanted.min_price, wanted.max_price):
        if price is not None and not 0 <= price <= MAX_PRICE:
            raise Invalid(f"a price of {price}; it goes from 0 to {MAX_PRICE}")


_ORDERED_BY = {"title": "title_order", "price": "price_min", "created_at": "created_at", "updated_at": "updated_at"}
_TAGGED = aliased(TagRow, name="tagged")


@cache
def keyset(sort: SortName, *, tagged: bool = False) -> Keyset:
    """`tagged`: for a statement with the condition of a tag, whose rows stand in most of the orders too."""
    name = sort.removeprefix("-")
    row, row_id = (_TAGGED, _TAGGED.product_id) if tagged and name != "updated_at" else (ProductRow, ProductRow.id)
    return Keyset(name, getattr(row, _ORDERED_BY[name]), row_id, descending=sort.startswith("-"))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class FilterForm:
    """What of a filter decides how a statement is written: which values are compared with, and not the values."""

    given: frozenset[str]  # of `_COMPARED`
    words: int | None  # of the query; None: there is none
    in_stock: bool | None
    include_unpublished: bool
    is_empty: bool  # it asks for what no database could hold, and so for nothing

    @property
    def tagged(self) -> bool:
        return "tag" in self.given and not self.is_empty


_COMPARED = ("category", "vendor", "tag", "min_price", "max_price")


def form_of(wanted: ProductFilter) -> FilterForm:
    compared = _compared(wanted)
    return FilterForm(
        given=frozenset(compared),
        words=len(words_of(wanted.q)) if wanted.q is not None else None,
        in_stock=wanted.in_stock,
        include_unpublished=wanted.include_unpublished,
        is_empty=any(isinstance(value, str) and not is_storable(value) for value in compared.values()),
    )


def values_of(wanted: ProductFilter, dialect: str) -> dict[str, Any]:
    """What `conditions` and the search compare with, by name."""
    values = _compared(wanted)
    for name in ("min_price", "max_price"):
        if name in values:
            values[name] = _bounded(values[name])
    return values | search_values(wanted.q, dialect) if wanted.q is not None else values


def _compared(wanted: ProductFilter) -> dict[str, Any]:
    return {name: value for name in _COMPARED if (value := getattr(wanted, name)) is not None}


def conditions(form: FilterForm, bind: Bind) -> list[ColumnElement[bool]]:
    """All but the query's, which is the search index's."""
    if form.is_empty:
        return [false()]
    found: list[ColumnElement[bool]] = []
    if not form.include_unpublished:
        found.append(ProductRow.status == literal_column("'active'", String()))
    if "category" in form.given:
        # One id, and not a list of them: the products of one category stand in an index in every order.
        by_slug, by_name = (
            select(CategoryRow.id).where(column == bind("category", String())).scalar_subquery()
            for column in (CategoryRow.slug, CategoryRow.name)
        )
        found.append(ProductRow.category_id == func.coalesce(by_slug, by_name))
    if "vendor" in form.given:
        found.append(ProductRow.vendor == bind("vendor", String()))
    if "tag" in form.given:
        found += [_TAGGED.tag == bind("tag", String()), _TAGGED.product_id == ProductRow.id]
    return found + _of_variants(form, bind)


def _of_variants(form: FilterForm, bind: Bind) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if in_range := in_price_range(form, bind):
        found.append(exists().where(VariantRow.product_id == ProductRow.id, *in_range))
    if form.in_stock is not None:
        some = exists().where(VariantRow.product_id == ProductRow.id, is_available())
        found.append(some if form.in_stock else ~some)
    return found


def in_price_range(form: FilterForm, bind: Bind) -> list[ColumnElement[bool]]:
    """Of one variant."""
    found: list[ColumnElement[bool]] = []
    if "min_price" in form.given:
        found.append(VariantRow.price >= bind("min_price", TellingNumber()))
    if "max_price" in form.given:
        found.append(VariantRow.price <= bind("max_price", TellingNumber()))
    return found


def is_available() -> ColumnElement[bool]:
    """As `entities.Variant.available` has it."""
    return or_(VariantRow.stock.is_(None), VariantRow.stock > 0, VariantRow.inventory_policy == "continue")


def is_sold_out() -> ColumnElement[bool]:
    """The opposite, word for word as the index of these has it: SQLite compares no values, but the text."""
    return and_(VariantRow.stock <= literal_column("0"), VariantRow.inventory_policy != literal_column("'continue'"))


def narrow(statement: S, wanted: ProductFilter, dialect: str) -> S:
    return statement.where(*conditions(form_of(wanted), filled(values_of(wanted, dialect))))


def _bounded(price: int) -> int:
    """The price, or one beyond all that there are: a database has no whole numbers of any size."""
    return max(-1, min(price, MAX_AMOUNT + 1))
