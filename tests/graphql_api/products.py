"""Products that more than one shop of these tests has."""

from typing import Any

from commerce.catalog.commands import ProductData, VariantData
from tests.factories.products import a_product, a_variant, sized


def a_jacket(number: int, *, titles: int, categories: int, **changes: Any) -> ProductData:
    """One of many alike: there are so many titles, and so many categories."""
    return a_product(
        title=f"Jacket {number % titles}",
        vendor="Ridge" if number % 2 else "Peak",
        category=f"Jackets {number % categories}",
        tags=("rain", "sale") if number % 3 else ("rain",),
        **changes,
        **sized("S", "M", price=1000 + number % 4 * 500, stock=number % 2),
    )


def the_costliest(options: dict[str, str]) -> VariantData:
    """Of which everything is said."""
    return a_variant(
        options=options,
        price=10**12,
        compare_at_price=10**12,
        sku="ATL-S",
        stock=3,
        weight_grams=900,
        barcode="4006381333931",
    )


def a_backordered(options: dict[str, str]) -> VariantData:
    """There is none, and it is sold."""
    return a_variant(options=options, price=2_000, stock=0, inventory_policy="continue")
