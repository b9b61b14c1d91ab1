"""How a list of products is narrowed and ordered: one typed model for REST and GraphQL."""

from dataclasses import dataclass, fields
from typing import Any, Literal, TypeVar, get_args

from sqlalchemy import BigInteger, ColumnElement, Select, String, exists, false, literal_column, or_, select

from commerce.catalog.models import CategoryRow, ProductRow, TagRow, VariantRow
from commerce.catalog.search import search_values, words_of
from commerce.catalog.text import is_storable
from core.direct import Bind, filled
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
    category: str | None = None  # its name or its slug
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


def keyset(sort: SortName) -> Keyset:
    name = sort.removeprefix("-")
    column = {
        "title": ProductRow.title_order,
        "price": ProductRow.price_min,
        "created_at": ProductRow.created_at,
        "updated_at": ProductRow.updated_at,
    }[name]
    return Keyset(name, column, ProductRow.id, descending=sort.startswith("-"))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class FilterForm:
    """What of a filter decides how a statement is written: which values are compared with, and not the values."""

    given: frozenset[str]  # of `_COMPARED`
    words: int | None  # of the query; None: there is none
    in_stock: bool | None
    include_unpublished: bool
    is_empty: bool  # it asks for what no database could hold, and so for nothing


_COMPARED = ("category", "vendor", "tag", "min_price", "max_price")


def form_of(wanted: ProductFilter) -> FilterForm:
    return FilterForm(
        given=frozenset(name for name in _COMPARED if getattr(wanted, name) is not None),
        words=len(words_of(wanted.q)) if wanted.q is not None else None,
        in_stock=wanted.in_stock,
        include_unpublished=wanted.include_unpublished,
        is_empty=not all(is_storable(text or "") for text in (wanted.category, wanted.vendor, wanted.tag)),
    )


def values_of(wanted: ProductFilter, dialect: str) -> dict[str, Any]:
    """What `conditions` and the search compare with, by name."""
    values: dict[str, Any] = {name: getattr(wanted, name) for name in _COMPARED}
    for name in ("min_price", "max_price"):
        if values[name] is not None:
            values[name] = _bounded(values[name])
    return values | (search_values(wanted.q, dialect) if wanted.q is not None else {})


def conditions(form: FilterForm, bind: Bind) -> list[ColumnElement[bool]]:
    """All but the query's, which is the search index's."""
    if form.is_empty:
        return [false()]
    found: list[ColumnElement[bool]] = []
    if not form.include_unpublished:
        found.append(ProductRow.status == literal_column("'active'", String()))
    if "category" in form.given:
        category = bind("category", String())
        named = or_(CategoryRow.name == category, CategoryRow.slug == category)
        found.append(ProductRow.category_id.in_(select(CategoryRow.id).where(named)))
    if "vendor" in form.given:
        found.append(ProductRow.vendor == bind("vendor", String()))
    if "tag" in form.given:
        tagged = select(TagRow.product_id).where(TagRow.tag == bind("tag", String()))
        found.append(ProductRow.id.in_(tagged))
    return found + _of_variants(form, bind)


def _of_variants(form: FilterForm, bind: Bind) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    in_range: list[ColumnElement[bool]] = []
    if "min_price" in form.given:
        in_range.append(VariantRow.price >= bind("min_price", BigInteger()))
    if "max_price" in form.given:
        in_range.append(VariantRow.price <= bind("max_price", BigInteger()))
    if in_range:
        found.append(exists().where(VariantRow.product_id == ProductRow.id, *in_range))
    if form.in_stock is not None:
        some = exists().where(VariantRow.product_id == ProductRow.id, is_available())
        found.append(some if form.in_stock else ~some)
    return found


def is_available() -> ColumnElement[bool]:
    """As `entities.Variant.available` has it."""
    return or_(VariantRow.stock.is_(None), VariantRow.stock > 0, VariantRow.inventory_policy == "continue")


def narrow(statement: S, wanted: ProductFilter, dialect: str) -> S:
    return statement.where(*conditions(form_of(wanted), filled(values_of(wanted, dialect))))


def _bounded(price: int) -> int:
    """The price, or one beyond all that there are: a database has no whole numbers of any size."""
    return max(-1, min(price, MAX_AMOUNT + 1))
