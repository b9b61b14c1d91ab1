"""Writes products as the rows of a Shopify CSV, such that reading them gives the same products."""

import re
from collections.abc import Iterable, Iterator, Sequence

from commerce.catalog.entities import Image, Product, Variant
from commerce.catalog.repository import ExtraNames
from commerce.catalog.transfer.columns import (
    BARCODE,
    BODY,
    COMPARE_AT,
    CURRENCY,
    GRAMS,
    HANDLE,
    IMAGE_ALT,
    IMAGE_POSITION,
    IMAGE_SRC,
    OPTIONS,
    POLICY,
    PRICE,
    PUBLISHED,
    QUANTITY,
    SKU,
    STATUS,
    TAGS,
    TITLE,
    TRACKER,
    TYPE,
    VENDOR,
    WRITTEN,
    fits_beside_variant,
    image_header,
    product_header,
    variant_header,
)
from core.errors import Conflict
from core.money import format_decimal
from core.spreadsheet import csv_bytes, neutralised

_NUMBER = re.compile(r"-?\d+", re.ASCII)
_Cells = dict[str, str]


class CatalogueChanged(Conflict):
    """While the catalogue was exported it got a column that the file's header lacks. Export it again."""

    code = "catalogue_changed"
    title = "The catalogue changed during the export"


class CsvWriter:
    """Per export: the columns are fixed with the header, before the first product is read."""

    def __init__(self, extras: ExtraNames, *, currencies: bool) -> None:
        names = {product_header(name) for name in extras.product}
        names |= {variant_header(name, first=first, tracked=tracked) for name, first, tracked in extras.variant}
        names |= {image_header(name) for name in extras.image}
        self._currencies = currencies
        if currencies:
            names.add(CURRENCY)
        self._columns = [*WRITTEN, *sorted(names - set(WRITTEN))]
        self._at = {name: index for index, name in enumerate(self._columns)}

    def header(self) -> bytes:
        return csv_bytes([[neutralised(name) for name in self._columns]])

    def products(self, products: Iterable[Product]) -> bytes:
        return csv_bytes(self._cells(row) for product in products for row in self._rows(product))

    def _cells(self, row: _Cells) -> list[str]:
        cells = [""] * len(self._columns)
        for name, value in row.items():
            if name not in self._at:
                raise CatalogueChanged(f"column {name!r} appeared during the export; export again")
            cells[self._at[name]] = value
        return cells

    def _rows(self, product: Product) -> Iterator[_Cells]:
        """Variants and images side by side, but images that need a row of their own last."""
        beside: list[tuple[int, Image]] = []
        alone: list[tuple[int, Image]] = []
        for position, image in enumerate(product.images, start=1):
            (beside if fits_beside_variant(image.extra) else alone).append((position, image))
        variants = product.variants
        alone = beside[len(variants) :] + alone
        for index, variant in enumerate(variants):
            row = {HANDLE: neutralised(product.head.handle)}
            if index == 0:
                row |= self._product(product)
            row |= _variant(variant, product.head.options, product.head.currency, first=index == 0)
            if index < len(beside):
                row |= _image(*beside[index])
            yield row
        for position, image in alone:
            yield {HANDLE: neutralised(product.head.handle)} | _image(position, image)

    def _product(self, product: Product) -> _Cells:
        head = product.head
        row = {
            TITLE: neutralised(head.title),
            BODY: neutralised(head.description),
            VENDOR: neutralised(head.vendor),
            TYPE: neutralised(product.category.name) if product.category else "",
            TAGS: neutralised(", ".join(product.tags)),
            PUBLISHED: "true" if head.status == "active" else "false",
            STATUS: head.status,
        }
        row |= {column: neutralised(name) for (column, _), name in zip(OPTIONS, head.options, strict=False)}
        if self._currencies:
            row[CURRENCY] = head.currency
        return row | {product_header(name): neutralised(value) for name, value in head.extra.items()}


def _variant(variant: Variant, options: Sequence[str], currency: str, *, first: bool) -> _Cells:
    was = variant.compare_at_price
    tracked = variant.stock is not None
    row = {
        SKU: neutralised(variant.sku or ""),
        GRAMS: "" if variant.weight_grams is None else str(variant.weight_grams),
        TRACKER: "shopify" if tracked else "",
        QUANTITY: str(variant.stock) if tracked else "",
        POLICY: variant.inventory_policy,
        PRICE: format_decimal(variant.price, currency),
        COMPARE_AT: "" if was is None else format_decimal(was, currency),
        BARCODE: neutralised(variant.barcode or ""),
    }
    row |= {
        column: neutralised(variant.options.get(name, "")) for (_, column), name in zip(OPTIONS, options, strict=False)
    }
    for name, value in variant.extra.items():
        header = variant_header(name, first=first, tracked=tracked)
        row[header] = value if header == QUANTITY and _NUMBER.fullmatch(value) else neutralised(value)
    return row


def _image(position: int, image: Image) -> _Cells:
    row = {IMAGE_SRC: neutralised(image.url), IMAGE_POSITION: str(position), IMAGE_ALT: neutralised(image.alt)}
    return row | {image_header(name): neutralised(value) for name, value in image.extra.items()}
