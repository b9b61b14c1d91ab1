"""Finds the line and the column of a Shopify CSV that a fault of the product came from."""

from commerce.catalog.transfer.columns import (
    BARCODE,
    BODY,
    COMPARE_AT,
    CURRENCY,
    GRAMS,
    HANDLE,
    IMAGE_ALT,
    IMAGE_SRC,
    OPTIONS,
    POLICY,
    PRICE,
    QUANTITY,
    SKU,
    STATUS,
    TAGS,
    TITLE,
    TYPE,
    VENDOR,
)
from commerce.catalog.transfer.csv_lines import Row
from commerce.catalog.transfer.records import Fault, shown
from core.errors import FieldError

_OF_PRODUCT = {
    "handle": HANDLE,
    "title": TITLE,
    "description": BODY,
    "vendor": VENDOR,
    "category": TYPE,
    "tags": TAGS,
    "status": STATUS,
    "currency": CURRENCY,
}
_OF_VARIANT = {
    "price": PRICE,
    "compare_at_price": COMPARE_AT,
    "stock": QUANTITY,
    "weight_grams": GRAMS,
    "sku": SKU,
    "barcode": BARCODE,
    "inventory_policy": POLICY,
    "options": OPTIONS[0][1],
}
_OF_IMAGE = {"url": IMAGE_SRC, "alt": IMAGE_ALT}


class Origin:
    """The rows that the variants and images of one product stand on, in the product's order."""

    def __init__(self, handle: str, line: int, at: dict[str, int]) -> None:
        self.variants: list[Row] = []
        self.images: list[Row] = []
        self._handle = handle
        self._line = line
        self._at = at

    def locate(self, error: FieldError) -> Fault:
        """`/variants/2/price` becomes the line of the third variant and `Variant Price`."""
        row, column = self._place(error.pointer.split("/")[1:])
        line = row.line if row else self._line
        parts = [f"product {self._handle!r}"]
        if column:
            parts.append(column)
        cell = row.cells[self._at[column]] if row and column in self._at else ""
        # A value is repeated where the message does not do so itself.
        told = f"{shown(cell)} " if cell.strip() and repr(cell.strip()) not in error.message else ""
        parts.append(f"{told}{error.message}")
        return Fault(line, ": ".join(parts))

    def _place(self, pointer: list[str]) -> tuple[Row | None, str]:
        first = self.variants[0] if self.variants else None
        match pointer:
            case ["variants", index, field, *_]:
                return self.variants[int(index)], _OF_VARIANT.get(field, field)
            case ["images", index, field, *_]:
                return self.images[int(index)], _OF_IMAGE.get(field, field)
            case ["options", index]:
                return first, OPTIONS[int(index)][0]
            case [field, *_]:
                return first, _OF_PRODUCT.get(field, field)
        return first, ""
