"""Products as JSON Lines: one object a line, in the form of `demo.jsonl`. Amounts are minor units."""

import json
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from pydantic import BaseModel, ConfigDict, ValidationError

from commerce.catalog.commands import SINGLE_VARIANT, ImageData, ProductData, VariantData
from commerce.catalog.entities import Image, InventoryPolicy, Product, Status, Variant
from commerce.catalog.transfer.csv_lines import refuse_other_encodings
from commerce.catalog.transfer.records import MAX_SIZE, Fault, Record, shown
from core.errors import FieldError

_BOM = b"\xef\xbb\xbf"
_MAX_FAULTS = 20


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Money(_Line):
    amount: int
    currency: str


class _Variant(_Line):
    price: _Money
    sku: str | None = None
    options: dict[str, str] | None = None
    compare_at_price: _Money | None = None
    stock: int | None = None
    inventory_policy: InventoryPolicy = "deny"
    weight_grams: int | None = None
    barcode: str | None = None
    extra: dict[str, str] = {}

    def data(self) -> VariantData:
        return VariantData(
            price=self.price.amount,
            options=dict(SINGLE_VARIANT) if self.options is None else self.options,
            sku=self.sku,
            compare_at_price=self.compare_at_price.amount if self.compare_at_price else None,
            stock=self.stock,
            inventory_policy=self.inventory_policy,
            weight_grams=self.weight_grams,
            barcode=self.barcode,
            extra=_said(self.extra),
        )


class _Image(_Line):
    url: str
    alt: str = ""
    width: int | None = None
    height: int | None = None
    extra: dict[str, str] = {}


class _Product(_Line):
    handle: str
    title: str
    variants: list[_Variant]
    description: str = ""
    vendor: str = ""
    category: str | None = None
    tags: list[str] = []
    status: Status = "active"
    options: list[str] | None = None
    images: list[_Image] = []
    extra: dict[str, str] = {}

    def data(self, currency: str) -> ProductData:
        variants = tuple(variant.data() for variant in self.variants)
        names = self.options
        if names is None:
            names = list(variants[0].options if variants else SINGLE_VARIANT)
        return ProductData(
            handle=self.handle.strip().lower(),
            title=self.title,
            description=self.description,
            vendor=self.vendor.strip(),
            category=self.category.strip() or None if self.category else None,
            tags=tuple(dict.fromkeys(tag.strip() for tag in self.tags)),
            status=self.status,
            options=tuple(names),
            currency=self.variants[0].price.currency if self.variants else currency,
            variants=variants,
            images=tuple(ImageData(i.url, i.alt, i.width, i.height, _said(i.extra)) for i in self.images),
            extra=_said(self.extra),
        )

    def foreign_money(self) -> Iterator[str]:
        """Pointers to amounts in another currency than the first one's."""
        for index, variant in enumerate(self.variants):
            for name, money in (("price", variant.price), ("compare_at_price", variant.compare_at_price)):
                if money is not None and money.currency != self.variants[0].price.currency:
                    yield f"/variants/{index}/{name}/currency"


@dataclass(frozen=True, slots=True)
class _Place:
    """Everything of a product stands on its one line."""

    line: int
    handle: str

    def locate(self, error: FieldError) -> Fault:
        where = error.pointer.removeprefix("/")
        return Fault(self.line, f"product {self.handle!r}: {where}: {error.message}")


def read_json_lines(file: BinaryIO, currency: str) -> Generator[Record, None, None]:
    """One record for each line that is not blank; a faulty line spoils no other. Raises UnreadableFile."""
    refuse_other_encodings(file)
    for number, line in _lines(file):
        if line is None:
            fault = Fault(number, f"has more than {MAX_SIZE >> 20} MiB")
            yield _refused(number, "", [fault])
        elif line.strip():
            yield _record(number, line, currency)


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """Numbered lines; None for one that is too long to be held."""
    number = 0
    while line := file.readline(MAX_SIZE):
        number += 1
        if len(line) < MAX_SIZE or line.endswith(b"\n"):
            yield number, line.removeprefix(_BOM) if number == 1 else line
            continue
        while (rest := file.readline(MAX_SIZE)) and not rest.endswith(b"\n"):
            pass
        yield number, None


def _record(number: int, line: bytes, currency: str) -> Record:
    try:
        line.decode()
    except UnicodeDecodeError as error:
        fault = Fault(number, f"is not UTF-8 (byte 0x{line[error.start]:02X})")
        return _refused(number, "", [fault])
    try:
        read = _Product.model_validate_json(line)
    except ValidationError as error:
        return _refused(number, *_explained(number, line, error))
    data = read.data(currency)
    place = _Place(number, data.handle)
    foreign = [FieldError(at, "invalid", f"is not {data.currency} like the first") for at in read.foreign_money()]
    if foreign:
        return _refused(number, data.handle, [place.locate(error) for error in foreign])
    return Record(number, data.handle, data, (), place.locate, [number] * len(data.variants), len(line))


def _refused(number: int, handle: str, faults: list[Fault]) -> Record:
    return Record(number, handle, None, tuple(faults[:_MAX_FAULTS]), _Place(number, handle).locate)


def _explained(number: int, line: bytes, error: ValidationError) -> tuple[str, list[Fault]]:
    """The handle, where one can be made out, and what is wrong."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    if found[0]["type"] == "json_invalid":
        return "", [Fault(number, f"is not JSON: {found[0]['msg'].removeprefix('Invalid JSON: ')}")]
    try:
        handle = json.loads(line)["handle"].strip().lower()
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return "", [Fault(number, _told(fault)) for fault in found]
    return handle, [Fault(number, f"product {handle!r}: {_told(fault)}") for fault in found]


def _told(fault: Any) -> str:
    at = "/".join(part if isinstance(part, str) and part.isidentifier() else shown(str(part)) for part in fault["loc"])
    text = "is not a field" if fault["type"] == "extra_forbidden" else fault["msg"]
    return f"{at}: {text}" if at else text


def _said(extra: dict[str, str]) -> dict[str, str]:
    """Without the blank ones, as in a CSV, where a blank cell says nothing."""
    return {name: value for name, value in extra.items() if value.strip()}


def json_line(product: Product) -> str:
    """The line of a product, in one fixed order of keys."""
    head = product.head
    document = {
        "handle": head.handle,
        "title": head.title,
        "description": head.description,
        "vendor": head.vendor,
        "category": product.category.name if product.category else None,
        "tags": product.tags,
        "status": head.status,
        "options": head.options,
        "variants": [_variant_document(variant, head.currency) for variant in product.variants],
        "images": _image_documents(product.images),
        "extra": head.extra,
    }
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False) + "\n"


def _variant_document(variant: Variant, currency: str) -> dict[str, Any]:
    was = variant.compare_at_price
    return {
        "sku": variant.sku,
        "options": variant.options,
        "price": {"amount": variant.price, "currency": currency},
        "compare_at_price": None if was is None else {"amount": was, "currency": currency},
        "stock": variant.stock,
        "inventory_policy": variant.inventory_policy,
        "weight_grams": variant.weight_grams,
        "barcode": variant.barcode,
        "extra": variant.extra,
    }


def _image_documents(images: Iterable[Image]) -> list[dict[str, Any]]:
    return [
        {"url": image.url, "alt": image.alt, "width": image.width, "height": image.height, "extra": image.extra}
        for image in images
    ]
