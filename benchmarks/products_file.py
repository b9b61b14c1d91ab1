"""A Shopify file of products, with five variants each unless other sizes are given."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

SIZES = ("XS", "S", "M", "L", "XL")
_HEADER = (
    *("Handle", "Title", "Body (HTML)", "Vendor", "Type", "Tags", "Published", "Option1 Name", "Option1 Value"),
    *("Variant SKU", "Variant Grams", "Variant Inventory Tracker", "Variant Inventory Qty"),
    *("Variant Inventory Policy", "Variant Fulfillment Service", "Variant Price", "Variant Compare At Price"),
    *("Variant Requires Shipping", "Variant Taxable", "Variant Barcode", "Image Src", "Image Position"),
    *("Image Alt Text", "Gift Card", "SEO Title", "SEO Description", "Variant Weight Unit", "Cost per item", "Status"),
)


def write_products(path: Path, products: int, sizes: Sequence[str] = SIZES) -> None:
    with path.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened)
        writer.writerow(_HEADER)
        writer.writerows(_rows(products, sizes))


def _rows(products: int, sizes: Sequence[str]) -> Iterator[list[str]]:
    for number in range(products):
        handle = f"bench-product-{number}"
        first = [
            f"Bench Product {number}",
            f"<p>Product <strong>{number}</strong> is made of words that nobody reads.</p><ul><li>One</li></ul>",
            f"Vendor {number % 40}",
            f"Category {number % 25}",
            f"tag-{number % 7}, tag-{number % 11}-b, sale",
            "true",
        ]
        for index, size in enumerate(sizes):
            start = [handle, *(first if index == 0 else [""] * 6), "Size" if index == 0 else "", size]
            stock = [f"BP-{number}-{size}", "400", "shopify", str(number % 90), "deny", "manual"]
            price = [f"{10 + number % 90}.99", "", "true", "true", str(10**12 + number * 10 + index)]
            image = [f"https://images.example.com/{number}/{index}.jpg", str(index + 1), f"View {index}"]
            blank = ["false", "", ""] if index == 0 else ["", "", ""]
            yield [*start, *stock, *price, *(image if index < 2 else ["", "", ""]), *blank, "kg", "4.20", "active"]  # noqa: PLR2004
