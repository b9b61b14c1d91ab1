"""What both versions share when they read: filters, cache headers, and the way from a key to a product."""

from commerce.accounts.principal import Principal
from commerce.catalog.filters import FILTERS, ProductFilter
from core.web import conditional
from public_api.catalog.schemas import PageQuery, SliceQuery


def product_filter(query: PageQuery | SliceQuery, principal: Principal) -> ProductFilter:
    given = {name: getattr(query, name) for name in FILTERS}
    return ProductFilter(**given, include_unpublished=principal.sees_unpublished)


def cache_headers(principal: Principal, tag: str) -> dict[str, str]:
    return conditional.cache_headers(tag, public=principal.kind == "anonymous")
