"""What both versions share when they read: filters, the headers that follow from the rows, and who else may have the
answer.
"""

from starlette.requests import Request

from commerce.accounts.principal import Principal
from commerce.catalog.filters import FILTERS, ProductFilter
from core.pagination import Page
from core.projections.items import Item, ItemSlice, versions
from core.web.conditional import cache_headers, tag_of, version_tag
from core.web.response_cache import forget, share
from public_api.catalog.schemas import PageQuery, SliceQuery


def product_filter(query: PageQuery | SliceQuery, principal: Principal) -> ProductFilter:
    given = {name: getattr(query, name) for name in FILTERS}
    return ProductFilter(**given, include_unpublished=principal.sees_unpublished)


def item_headers(principal: Principal, item: Item) -> dict[str, str]:
    return _cache_headers(principal, version_tag(item.version))


def page_headers(principal: Principal, found: Page[Item]) -> dict[str, str]:
    return _cache_headers(principal, tag_of(versions(found.items), found.page, found.size, found.total))


def slice_headers(principal: Principal, request: Request, found: ItemSlice) -> dict[str, str]:
    """With the address of the next page."""
    headers = _cache_headers(principal, tag_of(versions(found.items), found.next_cursor, found.total))
    if found.next_cursor is not None:
        following = request.url.include_query_params(after=found.next_cursor)
        headers["Link"] = f'<{following}>; rel="next"'
    return headers


def offer(request: Request, principal: Principal, *tags: str) -> None:
    """To strangers the answer is the same for all: it is kept until what one of `tags` names changes. Who works in the
    shop can have what is kept dropped.
    """
    if principal.kind == "anonymous":
        share(request.scope, tags)
    elif principal.sees_everybody:
        forget(request.scope)


def _cache_headers(principal: Principal, tag: str) -> dict[str, str]:
    return cache_headers(tag, public=principal.kind == "anonymous")
