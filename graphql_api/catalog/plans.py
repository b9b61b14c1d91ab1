"""Plans of what can be asked of the catalogue (`graphql_api.plans`): the same as `queries` and `listing` answer."""

from collections.abc import Mapping
from typing import Any

from graphql.execution.collect_fields import FieldDetails
from sqlalchemy import ColumnElement, String, func, select
from strawberry.utils.str_converters import to_camel_case

from commerce.accounts.principal import Principal
from commerce.catalog.filters import DEFAULT_SORT, FILTERS, ProductFilter, SortName, form_of, require_bounds, values_of
from commerce.catalog.models import CategoryRow, ProductRow, RetiredHandleRow, VariantRow
from commerce.catalog.projections import CATEGORY, PRODUCT, VARIANT
from commerce.catalog.reading import PUBLISHED, CatalogReader, Listing, product_count, product_list
from core.direct import Bind
from core.projections.listing import Paging
from core.resources import Resources
from graphql_api.fields import plain
from graphql_api.plans.connections import NO_JSON, Connection, Source
from graphql_api.plans.kinds import By, Kind, Visible, one
from graphql_api.plans.parts import Binder, Bound, Part, array
from graphql_api.plans.selection import NotProjectable, Selection

_FILTERS = {to_camel_case(name): name for name in FILTERS}


def _visible(principal: Principal) -> Visible:
    """A variant where its product is."""
    unpublished = principal.sees_unpublished
    return Visible(unpublished, lambda _: [] if unpublished else [PUBLISHED], {})


_products = ProductRow.__table__
PRODUCT_KIND = Kind("prod_", "Product", PRODUCT, _products, _products.c.id, _visible)
VARIANT_KIND = Kind(
    "var_", "Variant", VARIANT, VariantRow.__table__.join(_products), VariantRow.__table__.c.id, _visible
)


def _has_handle(bind: Bind) -> ColumnElement[bool]:
    """Its own, or else one that it once had."""
    handle = bind("named", String())
    other = _products.alias()
    present = select(other.c.id).where(other.c.handle == handle).scalar_subquery()
    past = select(RetiredHandleRow.product_id).where(RetiredHandleRow.handle == handle).scalar_subquery()
    return _products.c.id == func.coalesce(present, past)


_BY = {"id": PRODUCT_KIND.by_id(), "handle": By("handle", _has_handle)}


def _product(selection: Selection, details: list[FieldDetails]) -> Binder:
    shape = selection.shape(selection.type_named("Product"), details, PRODUCT.members)

    def bind(given: Mapping[str, Any], principal: Principal, dialect: str) -> Bound:
        named = {name: value for name, value in given.items() if value is not None}
        if len(named) != 1:
            raise NotProjectable("give either id or handle")
        ((by, value),) = named.items()
        return one(PRODUCT_KIND, shape, _BY[by], value, principal, dialect)

    return bind


def _products_page(selection: Selection, details: list[FieldDetails]) -> Binder:
    connection = Connection(selection, details, "ProductConnection", PRODUCT)

    def bind(given: Mapping[str, Any], principal: Principal, dialect: str) -> Bound:
        wanted = {_FILTERS[name]: value for name, value in (given.get("filter") or {}).items()}
        source = _source(wanted, plain(given.get("sort")) or DEFAULT_SORT, principal, dialect)
        return connection.bound(source, given.get("first"), given.get("after"), dialect)

    return bind


def _search(selection: Selection, details: list[FieldDetails]) -> Binder:
    connection = Connection(selection, details, "ProductConnection", PRODUCT)

    def bind(given: Mapping[str, Any], principal: Principal, dialect: str) -> Bound:
        source = _source({"q": given["query"]}, None, principal, dialect)
        return connection.bound(source, given.get("first"), given.get("after"), dialect)

    return bind


def _source(given: Mapping[str, Any], sort: SortName | None, principal: Principal, dialect: str) -> Source:
    """Raises Invalid."""
    wanted = ProductFilter(**given, include_unpublished=principal.sees_unpublished)
    require_bounds(wanted)
    listing = Listing(form_of(wanted), sort)

    def page(bind: Bind, paging: Paging) -> Part:
        return product_list(listing, paging, NO_JSON, dialect, bind)

    async def whole(resources: Resources, counted: int) -> int:
        return await CatalogReader(resources.database, resources.cache).whole_total(wanted, counted)

    return Source(
        listing,
        values_of(wanted, dialect),
        listing.keyset,
        page,
        lambda bind: product_count(listing, dialect, bind),
        whole,
    )


def _categories(selection: Selection, details: list[FieldDetails]) -> Binder:
    shape = selection.shape(selection.type_named("Category"), details, CATEGORY.members)

    def bind(_given: Mapping[str, Any], _principal: Principal, dialect: str) -> Bound:
        return Bound(
            "",
            {},
            lambda _: [select(CATEGORY.json(shape, dialect)).select_from(CategoryRow).order_by(CategoryRow.name)],
            lambda found: array([row[0] for row in found[0]]),
        )

    return bind


CATALOG_PLANS = {
    "product": _product,
    "products": _products_page,
    "search": _search,
    "categories": _categories,
}
