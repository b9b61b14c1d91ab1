"""Products for tests: valid ones, of which a test changes only what it is about."""

from typing import Any

from commerce.catalog.commands import ImageData, ProductData, VariantData


def a_variant(**changes: Any) -> VariantData:
    values: dict[str, Any] = {"price": 1999} | changes
    return VariantData(**values)


def an_image(**changes: Any) -> ImageData:
    values: dict[str, Any] = {"url": "https://images.example.com/jacket.jpg"} | changes
    return ImageData(**values)


def a_product(**changes: Any) -> ProductData:
    values: dict[str, Any] = {
        "handle": "rain-jacket",
        "title": "Rain Jacket",
        "currency": "USD",
        "variants": (a_variant(),),
    } | changes
    return ProductData(**values)


def sized(*sizes: str, **changes: Any) -> dict[str, Any]:
    """What makes a product of one option, Size, with a variant a size: `a_product(**sized("S", "M"))`."""
    return {
        "options": ("Size",),
        "variants": tuple(a_variant(options={"Size": size}, **changes) for size in sizes),
    }
