"""What both versions share when they read: filters, cache headers, and who else may have the answer."""

from starlette.requests import Request

from commerce.accounts.principal import Principal
from commerce.catalog.filters import FILTERS, ProductFilter
from core.web import conditional
from core.web.response_cache import forget, share
from public_api.catalog.schemas import PageQuery, SliceQuery


def product_filter(query: PageQuery | SliceQuery, principal: Principal) -> ProductFilter:
    given = {name: getattr(query, name) for name in FILTERS}
    return ProductFilter(**given, include_unpublished=principal.sees_unpublished)


def cache_headers(principal: Principal, tag: str) -> dict[str, str]:
    return conditional.cache_headers(tag, public=principal.kind == "anonymous")


def offer(request: Request, principal: Principal, tag: str) -> None:
    """To strangers the answer is the same for all: it is kept until what `tag` names changes. Who works in the shop can
    have what is kept dropped.
    """
    if principal.kind == "anonymous":
        share(request.scope, (tag,))
    elif principal.sees_everybody:
        forget(request.scope)
