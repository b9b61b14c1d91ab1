"""From a product as somebody says it to one that can be stored. Pure, so that it may run in any thread."""

from dataclasses import replace

from commerce.catalog.commands import ProductData
from commerce.catalog.errors import InvalidProduct
from commerce.catalog.rules import MAX_DESCRIPTION, faults
from commerce.catalog.text import clean_html


def checked(data: ProductData) -> ProductData:
    """The product with clean HTML and tidy names. Raises InvalidProduct with every fault."""
    found = faults(data)
    if not found:
        category = data.category.strip() if data.category is not None else None
        tidy = clean_html(data.description), data.vendor.strip(), category
        if tidy != (data.description, data.vendor, data.category):
            data = replace(data, description=tidy[0], vendor=tidy[1], category=category)
        if len(data.description) > MAX_DESCRIPTION:  # `&` became `&amp;`: stored, it could not be imported again
            found = faults(data)
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        detail = f"{found[0].pointer.removeprefix('/')} {found[0].message}{more}"
        raise InvalidProduct(detail, errors=tuple(found))
    return data
