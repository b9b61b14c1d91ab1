"""How a list of products is narrowed and ordered: one typed model for REST and GraphQL."""

from dataclasses import dataclass, fields
from typing import Any, Literal, TypeVar, get_args

from sqlalchemy import Select, exists, false, or_, select

from commerce.catalog.models import CategoryRow, ProductRow, TagRow, VariantRow
from commerce.catalog.text import is_storable
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


def narrow(statement: S, wanted: ProductFilter) -> S:
    """Adds every condition but `q`, which is the search index's. What no database could hold is found nowhere."""
    if not all(is_storable(text) for text in (wanted.category, wanted.vendor, wanted.tag) if text is not None):
        return statement.where(false())
    if not wanted.include_unpublished:
        statement = statement.where(ProductRow.status == "active")
    if wanted.category is not None:
        named = or_(CategoryRow.name == wanted.category, CategoryRow.slug == wanted.category)
        statement = statement.where(ProductRow.category_id.in_(select(CategoryRow.id).where(named)))
    if wanted.vendor is not None:
        statement = statement.where(ProductRow.vendor == wanted.vendor)
    if wanted.tag is not None:
        statement = statement.where(ProductRow.id.in_(select(TagRow.product_id).where(TagRow.tag == wanted.tag)))
    if wanted.min_price is not None or wanted.max_price is not None:
        in_range = [VariantRow.product_id == ProductRow.id]
        if wanted.min_price is not None:
            in_range.append(VariantRow.price >= _bounded(wanted.min_price))
        if wanted.max_price is not None:
            in_range.append(VariantRow.price <= _bounded(wanted.max_price))
        statement = statement.where(exists().where(*in_range))
    if wanted.in_stock is not None:
        available = exists().where(
            VariantRow.product_id == ProductRow.id,
            or_(VariantRow.stock.is_(None), VariantRow.stock > 0, VariantRow.inventory_policy == "continue"),
        )
        statement = statement.where(available if wanted.in_stock else ~available)
    return statement


def _bounded(price: int) -> int:
    """The price, or one beyond all that there are: a database has no whole numbers of any size."""
    return max(-1, min(price, MAX_AMOUNT + 1))
