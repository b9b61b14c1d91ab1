"""What both versions share when they read: filters, cache headers, and the way from a key to a product."""

from commerce.accounts.principal import Principal
from commerce.catalog.filters import FILTERS, ProductFilter
from public_api.catalog.schemas import PageQuery, SliceQuery


def product_filter(query: PageQuery | SliceQuery, principal: Principal) -> ProductFilter:
    given = {name: getattr(query, name) for name in FILTERS}
    return ProductFilter(**given, include_unpublished=principal.sees_unpublished)


def cache_headers(principal: Principal, tag: str) -> dict[str, str]:
    """Shared caches may keep what anonymous callers see, and must ask before each use: a write shows at once."""
    anonymous = principal.kind == "anonymous"
    return {
        "ETag": tag,
        "Cache-Control": "public, max-age=0, must-revalidate" if anonymous else "private, no-cache",
        "Vary": "Authorization",
    }
