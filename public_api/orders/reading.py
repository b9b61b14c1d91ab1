"""The headers of what is read, which follow from the rows."""

from core.pagination import Page
from core.projections.items import Item, versions
from core.web.conditional import cache_headers, tag_of, version_tag


def item_headers(order: Item) -> dict[str, str]:
    return cache_headers(version_tag(order.version), public=False)


def page_headers(found: Page[Item]) -> dict[str, str]:
    return cache_headers(tag_of(versions(found.items), found.page, found.size, found.total), public=False)
