"""What makes a product valid. Pure: every fault of a product at once, each with its place."""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from urllib.parse import urlsplit

from commerce.catalog.commands import ImageData, ProductData, VariantData
from commerce.catalog.text import is_storable
from core.errors import FieldError
from core.money import MAX_AMOUNT

MAX_TEXT = 255
MAX_DESCRIPTION = 500_000
MAX_TAGS = 250
MAX_OPTIONS = 3
MAX_VARIANTS = 2_048
MAX_IMAGES = 250
MAX_URL = 2_048
MAX_EXTRA = 65_536
MAX_COUNT = 10**9
# `prod_` begins an id, and these two are paths below /products.
RESERVED_HANDLES = {"export", "import"}
_HANDLE = re.compile(r"[^\W_][\w.-]*")
_PLAIN_URL = re.compile(r"https?://[a-z0-9.-]+/[!-~]*", re.ASCII)  # what nearly all are, known at one look
_CURRENCY = re.compile(r"[A-Z]{3}")


def faults(product: ProductData) -> list[FieldError]:
    """Every broken rule, pointers relative to the product; empty for a valid one."""
    return [*_of_product(product), *_of_variants(product), *_of_images(product.images)]


def _of_product(product: ProductData) -> Iterator[FieldError]:
    handle = product.handle
    if not _HANDLE.fullmatch(handle) or len(handle) > MAX_TEXT or handle != handle.lower():
        yield _fault("/handle", "is letters, digits, - _ and . in lower case, at most 255")
    elif handle in RESERVED_HANDLES or handle.startswith("prod_"):
        yield _fault("/handle", f"{handle!r} is reserved", "reserved")
    if not product.title.strip():
        yield _fault("/title", "is blank", "required")
    yield from _text("/title", product.title)
    yield from _text("/description", product.description, MAX_DESCRIPTION)
    yield from _text("/vendor", product.vendor)
    if product.category is not None:
        if not product.category.strip():
            yield _fault("/category", "is blank; leave it out instead", "required")
        yield from _text("/category", product.category)
    if product.status not in ("active", "draft", "archived"):
        yield _fault("/status", "is active, draft or archived")
    if not _CURRENCY.fullmatch(product.currency):
        yield _fault("/currency", "is three capital letters (ISO 4217)")
    if len(product.tags) > MAX_TAGS:
        yield _fault("/tags", f"has {len(product.tags)} tags; at most {MAX_TAGS}", "too_many")
    for index, tag in enumerate(product.tags):
        if "," in tag or tag != tag.strip() or not tag:
            yield _fault(f"/tags/{index}", "is blank, holds a comma, or begins or ends with a space")
        yield from _text(f"/tags/{index}", tag)
    if len(set(product.tags)) != len(product.tags):
        yield _fault("/tags", "names a tag twice", "duplicate")
    yield from _extra("/extra", product.extra)


def _of_variants(product: ProductData) -> Iterator[FieldError]:
    names = product.options
    if not 1 <= len(names) <= MAX_OPTIONS:
        yield _fault("/options", f"has {len(names)} names; 1 to {MAX_OPTIONS}", "too_many")
    if len(set(names)) != len(names):
        yield _fault("/options", "names an option twice", "duplicate")
    for index, name in enumerate(names):
        if not name or name != name.strip():
            yield _fault(f"/options/{index}", "is blank, or begins or ends with a space", "required")
        yield from _text(f"/options/{index}", name)
    if not 1 <= len(product.variants) <= MAX_VARIANTS:
        yield _fault("/variants", f"has {len(product.variants)} variants; 1 to {MAX_VARIANTS}", "too_many")
    combinations: set[tuple[str, ...]] = set()
    skus: set[str] = set()
    for index, variant in enumerate(product.variants):
        at = f"/variants/{index}"
        yield from _of_variant(at, variant)
        values = tuple(variant.options.values())
        if tuple(variant.options) != names or not all(values):
            yield _fault(f"{at}/options", f"needs a value for each of {', '.join(names)}, in this order")
        elif values in combinations:
            yield _fault(f"{at}/options", f"{' / '.join(values)} stands here twice", "duplicate")
        combinations.add(values)
        if variant.sku is not None:
            if variant.sku in skus:
                yield _fault(f"{at}/sku", f"SKU {variant.sku!r} stands here twice", "duplicate_sku")
            skus.add(variant.sku)


def _of_variant(at: str, variant: VariantData) -> Iterator[FieldError]:
    for name, price in (("price", variant.price), ("compare_at_price", variant.compare_at_price)):
        if price is not None and not 0 <= price <= MAX_AMOUNT:
            yield _fault(f"{at}/{name}", "is negative" if price < 0 else "is too large", "out_of_range")
    if variant.stock is not None and abs(variant.stock) > MAX_COUNT:
        yield _fault(f"{at}/stock", "is too large", "out_of_range")
    if variant.weight_grams is not None and not 0 <= variant.weight_grams <= MAX_COUNT:
        yield _fault(f"{at}/weight_grams", "is negative or too large", "out_of_range")
    if variant.inventory_policy not in ("deny", "continue"):
        yield _fault(f"{at}/inventory_policy", "is deny or continue")
    for name, value in (("sku", variant.sku), ("barcode", variant.barcode)):
        if value is not None:
            if value != value.strip() or not value:
                yield _fault(f"{at}/{name}", "is blank, or begins or ends with a space")
            yield from _text(f"{at}/{name}", value)
    for value in variant.options.values():
        if value != value.strip():
            yield _fault(f"{at}/options", f"{value[:40]!r} begins or ends with a space")
        yield from _text(f"{at}/options", value)
    if variant.extra:
        yield from _extra(f"{at}/extra", variant.extra)


def _of_images(images: tuple[ImageData, ...]) -> Iterator[FieldError]:
    if len(images) > MAX_IMAGES:
        yield _fault("/images", f"has {len(images)} images; at most {MAX_IMAGES}", "too_many")
    for index, image in enumerate(images):
        at = f"/images/{index}"
        if not _PLAIN_URL.fullmatch(image.url) and not _is_web_address(image.url):
            yield _fault(f"{at}/url", "is not an http or https address")
        yield from _text(f"{at}/url", image.url, MAX_URL)
        yield from _text(f"{at}/alt", image.alt, MAX_URL)
        for name, size in (("width", image.width), ("height", image.height)):
            if size is not None and not 1 <= size <= 100_000:  # noqa: PLR2004  larger than any picture
                yield _fault(f"{at}/{name}", "is not a size in pixels", "out_of_range")
        if image.extra:
            yield from _extra(f"{at}/extra", image.extra)


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc) and not any(mark.isspace() for mark in url)


def _extra(pointer: str, extra: dict[str, str]) -> Iterator[FieldError]:
    if _tidy(tuple(extra)) and not _text(pointer, "".join((*extra, *extra.values()))):
        return
    if sum(len(name) + len(value) for name, value in extra.items()) > MAX_EXTRA:
        yield _fault(pointer, f"holds more than {MAX_EXTRA} characters", "too_long")
    for name, value in extra.items():
        if not name or name != name.strip():
            yield _fault(pointer, f"has a name, {name[:40]!r}, that is blank, or begins or ends with a space")
        yield from _text(pointer, name)
        yield from _text(pointer, value, MAX_EXTRA)


@lru_cache(maxsize=256)
def _tidy(names: tuple[str, ...]) -> bool:
    """The columns of a file: the same for nearly all of its rows."""
    return all(name and name == name.strip() for name in names)


def _text(pointer: str, text: str, limit: int = MAX_TEXT) -> Iterable[FieldError]:
    """Most texts are ordinary, and there are millions of them."""
    if len(text) <= MAX_TEXT and text.isascii() and "\0" not in text:
        return ()
    return _of_text(pointer, text, limit)


def _of_text(pointer: str, text: str, limit: int) -> Iterator[FieldError]:
    if len(text) > limit:
        yield _fault(pointer, f"has {len(text)} characters; at most {limit}", "too_long")
    if not is_storable(text):
        yield _fault(pointer, "holds a NUL or a broken character", "invalid_text")


def _fault(pointer: str, message: str, code: str = "invalid") -> FieldError:
    return FieldError(pointer, code, message)
