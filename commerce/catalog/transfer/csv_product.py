"""Makes a product of its rows in a Shopify CSV. Finds the faults that the text alone shows; `rules` finds the rest."""

import re
from dataclasses import dataclass, field
from typing import NoReturn, cast

from commerce.catalog.commands import SINGLE_VARIANT, ImageData, ProductData, VariantData
from commerce.catalog.entities import InventoryPolicy, Status
from commerce.catalog.transfer.columns import (
    BARCODE,
    BODY,
    COMPARE_AT,
    CURRENCY,
    GRAMS,
    IMAGE_ALT,
    IMAGE_POSITION,
    IMAGE_SRC,
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
    Owner,
    Place,
    keeper,
)
from commerce.catalog.transfer.csv_lines import Row
from commerce.catalog.transfer.csv_places import Origin
from commerce.catalog.transfer.records import Fault, Record, shown
from core.money import InvalidAmount, parse_decimal

_WHOLE = re.compile(r"(-?\d{1,15})(?:\.0{1,9})?", re.ASCII)
_MAX_FAULTS = 20  # of one product; a thousand would say no more


@dataclass(frozen=True, slots=True)
class Header:
    """Where each column stands. A known column that the file lacks is at `width`, where every row has a blank cell."""

    names: list[str]
    at: dict[str, int]
    unknown: list[tuple[int, Place]]
    loose_of_variant: list[tuple[int, Place]]  # kept like unknown ones where the row has no variant
    loose_of_image: list[tuple[int, Place]]
    of_product: list[tuple[int, str]]
    makes_variant: list[int]
    options: list[tuple[str, int, str, int]]  # the name's and the value's
    image: int
    nameless: list[int]
    _plans: dict[tuple[bool, bool, bool], list[tuple[int, Owner, str]]] = field(default_factory=dict)

    @property
    def width(self) -> int:
        return len(self.names)

    def kept(self, *, first: bool, variant: bool, image: bool) -> list[tuple[int, Owner, str]]:
        """The columns of such a row that have no field: who keeps each cell, and under which name."""
        kind = (first, variant, image)
        if kind not in self._plans:
            places = self.unknown + ([] if variant else self.loose_of_variant) + ([] if image else self.loose_of_image)
            self._plans[kind] = [
                (index, *keeper(place, first=first, variant=variant, image=image)) for index, place in places
            ]
        return self._plans[kind]


@dataclass(slots=True)
class Rows:
    """The rows of one product, until they are whole. A product with a fault keeps no rows."""

    handle: str
    line: int
    rows: list[Row] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    size: int = 0
    count: int = 0

    def refuse(self, faults: list[Fault]) -> None:
        self.rows.clear()
        self.faults += faults[: _MAX_FAULTS - len(self.faults)]


def product_record(header: Header, rows: Rows, currency: str) -> Record:
    origin = Origin(rows.handle, rows.line, header.at)
    if rows.faults:
        return Record(rows.line, rows.handle, None, tuple(rows.faults), origin.locate)
    reading = _Reading(header, rows, currency, origin)
    data = reading.product()
    faults = tuple(reading.faults[:_MAX_FAULTS])
    lines = [row.line for row in origin.variants]
    return Record(rows.line, rows.handle, None if faults else data, faults, origin.locate, lines, rows.size)


class _BadCell(Exception):
    pass


class _Reading:
    """Per product. Collects what the rows say, and the faults of cells."""

    def __init__(self, header: Header, rows: Rows, currency: str, origin: Origin) -> None:
        self._header = header
        self._at = header.at
        self._handle = rows.handle
        self._rows = rows.rows
        self._origin = origin
        self._options = self._option_columns()
        self._currency = self._cell(rows.rows[0], CURRENCY) or currency
        self._variants: list[VariantData] = []
        self._images: list[tuple[int, ImageData, Row]] = []
        self._extra: dict[str, str] = {}
        self.faults: list[Fault] = []

    def product(self) -> ProductData | None:
        first = self._rows[0]
        self._check_options()
        for row in self._rows:
            self._read(row, first=row is first)
        status = self._status(first)
        # By the positions that the file gives, and in the file's order where it gives none.
        images = sorted(self._images, key=lambda image: image[0])
        self._origin.images = [row for _, _, row in images]
        tags = (tag.strip() for tag in first.cells[self._at[TAGS]].split(","))
        if self.faults:
            return None
        return ProductData(
            handle=self._handle,
            title=first.cells[self._at[TITLE]],
            description=first.cells[self._at[BODY]],
            vendor=self._cell(first, VENDOR),
            category=self._cell(first, TYPE) or None,
            tags=tuple(dict.fromkeys(tag for tag in tags if tag)),
            status=status,
            options=tuple(name for name, _ in self._options) or tuple(SINGLE_VARIANT),
            currency=self._currency,
            variants=tuple(self._variants),
            images=tuple(image for _, image, _ in images),
            extra=self._extra,
        )

    def _read(self, row: Row, *, first: bool) -> None:
        header, cells = self._header, row.cells
        has_variant = first or any(cells[index] and not cells[index].isspace() for index in header.makes_variant)
        has_image = bool(cells[header.image].strip())
        of_variant: dict[str, str] = {}
        of_image: dict[str, str] = {}
        extras: dict[Owner, dict[str, str]] = {"product": self._extra, "variant": of_variant, "image": of_image}
        for index, owner, name in header.kept(first=first, variant=has_variant, image=has_image):
            cell = cells[index]
            if cell and not cell.isspace() and extras[owner].setdefault(name, cell) != cell:
                self._fault(row, header.names[index], f"{shown(cell)} has nowhere to go: {shown(name)} is given twice")
        if not first:
            self._check_repeated(row)
        try:
            if has_variant:
                self._origin.variants.append(row)
                self._variants.append(self._variant(row, of_variant))
            if has_image:
                self._images.append(self._image(row, of_image))
        except _BadCell:
            return

    def _variant(self, row: Row, extra: dict[str, str]) -> VariantData:
        price = self._money(row, PRICE)
        if price is None:
            self._refuse(row, PRICE, "is blank")
        at, cells = self._at, row.cells
        tracker, quantity = cells[at[TRACKER]].strip(), cells[at[QUANTITY]].strip()
        stock = None
        if tracker:
            stock = self._whole(row, QUANTITY) or 0
            if tracker != "shopify":
                extra[TRACKER] = tracker
        elif quantity:
            extra[QUANTITY] = quantity
        policy = cells[at[POLICY]].strip().lower() or "deny"
        if policy not in ("deny", "continue"):
            self._refuse(row, POLICY, f"{shown(self._cell(row, POLICY))} is neither deny nor continue")
        return VariantData(
            price=price,
            options={name: cells[index].strip() for name, index in self._options} or dict(SINGLE_VARIANT),
            sku=cells[at[SKU]].strip() or None,
            compare_at_price=self._money(row, COMPARE_AT),
            stock=stock,
            inventory_policy=cast("InventoryPolicy", policy),
            weight_grams=self._whole(row, GRAMS),
            barcode=cells[at[BARCODE]].strip() or None,
            extra=extra,
        )

    def _image(self, row: Row, extra: dict[str, str]) -> tuple[int, ImageData, Row]:
        position = self._whole(row, IMAGE_POSITION)
        if position is None:
            position = self._images[-1][0] if self._images else 0
        image = ImageData(url=self._cell(row, IMAGE_SRC), alt=row.cells[self._at[IMAGE_ALT]], extra=extra)
        return position, image, row

    def _status(self, row: Row) -> Status:
        status = self._cell(row, STATUS).lower() or "active"
        published = self._cell(row, PUBLISHED).lower() or "true"
        if status not in ("active", "draft", "archived"):
            self._fault(row, STATUS, f"{shown(self._cell(row, STATUS))} is neither active, draft nor archived")
        if published not in ("true", "false"):
            self._fault(row, PUBLISHED, f"{shown(self._cell(row, PUBLISHED))} is neither true nor false")
        if status == "active" and published == "false":
            return "draft"
        return cast("Status", status)

    def _option_columns(self) -> list[tuple[str, int]]:
        cells = self._rows[0].cells
        named = ((cells[name_at].strip(), value_at) for _, name_at, _, value_at in self._header.options)
        return [(name, index) for name, index in named if name]

    def _check_options(self) -> None:
        for name, name_at, value, value_at in self._header.options:
            if not self._rows[0].cells[name_at].strip():
                row = next((row for row in self._rows if row.cells[value_at].strip()), None)
                if row is not None:
                    self._fault(row, value, f"{shown(self._cell(row, value))} is given, but {name} is blank")

    def _check_repeated(self, row: Row) -> None:
        """What the first row says of the product, another may repeat, but not say otherwise."""
        first = self._rows[0].cells
        for index, column in self._header.of_product:
            cell = row.cells[index]
            if cell and cell != first[index] and not cell.isspace():
                self._fault(row, column, f"{shown(cell)} is not what line {self._rows[0].line} says")

    def _cell(self, row: Row, column: str) -> str:
        return row.cells[self._at[column]].strip()

    def _money(self, row: Row, column: str) -> int | None:
        text = row.cells[self._at[column]]
        if not text or not (text := text.strip()):
            return None
        try:
            return parse_decimal(text, self._currency)
        except InvalidAmount as error:
            self._refuse(row, column, error.detail)

    def _whole(self, row: Row, column: str) -> int | None:
        text = row.cells[self._at[column]]
        if not text or not (text := text.strip()):
            return None
        found = _WHOLE.fullmatch(text)
        if not found:
            self._refuse(row, column, f"{shown(text)} is not a whole number")
        return int(found[1])

    def _fault(self, row: Row, column: str, message: str) -> None:
        self.faults.append(Fault(row.line, f"product {self._handle!r}: {column}: {message}"))

    def _refuse(self, row: Row, column: str, message: str) -> NoReturn:
        self._fault(row, column, message)
        raise _BadCell
