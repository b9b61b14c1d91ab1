"""The columns of a Shopify product CSV: those we have fields for, and where a cell of any other is kept.

An unknown cell is kept with the product, the variant or the image of its row, by its column's name and its row alone.
Where that rule would bring a value back to another owner, an export writes it under a name that says the owner:
`Variant Extra: season`.
"""

from dataclasses import dataclass
from typing import Literal

Owner = Literal["product", "variant", "image"]

HANDLE, TITLE, BODY, VENDOR, TYPE, TAGS = "Handle", "Title", "Body (HTML)", "Vendor", "Type", "Tags"
PUBLISHED, STATUS, CURRENCY = "Published", "Status", "Currency"
OPTIONS = tuple((f"Option{number} Name", f"Option{number} Value") for number in (1, 2, 3))
SKU, GRAMS, TRACKER, QUANTITY = "Variant SKU", "Variant Grams", "Variant Inventory Tracker", "Variant Inventory Qty"
POLICY, PRICE, COMPARE_AT = "Variant Inventory Policy", "Variant Price", "Variant Compare At Price"
BARCODE = "Variant Barcode"
IMAGE_SRC, IMAGE_POSITION, IMAGE_ALT = "Image Src", "Image Position", "Image Alt Text"

# In the order that Shopify writes them.
WRITTEN = (
    *(HANDLE, TITLE, BODY, VENDOR, TYPE, TAGS, PUBLISHED),
    *(name for pair in OPTIONS for name in pair),
    *(SKU, GRAMS, TRACKER, QUANTITY, POLICY, PRICE, COMPARE_AT, BARCODE),
    *(IMAGE_SRC, IMAGE_POSITION, IMAGE_ALT, STATUS),
)
# CURRENCY is ours: written only where a price is not in the shop's own.
KNOWN = (*WRITTEN, CURRENCY)
OF_PRODUCT = (TITLE, BODY, VENDOR, TYPE, TAGS, PUBLISHED, *(name for name, _ in OPTIONS), STATUS, CURRENCY)
MAKES_VARIANT = (PRICE, *(value for _, value in OPTIONS), SKU)  # the price first: it nearly always decides
OF_VARIANT = (GRAMS, TRACKER, QUANTITY, POLICY, COMPARE_AT, BARCODE)  # these make no variant by themselves
OF_IMAGE = (IMAGE_POSITION, IMAGE_ALT)

_KNOWN_FOLDED = {name.lower() for name in KNOWN}
_TOLD: dict[Owner, str] = {"product": "Product Extra: ", "variant": "Variant Extra: ", "image": "Image Extra: "}


@dataclass(frozen=True, slots=True)
class Place:
    """What an unknown column's name says: who keeps its cells if the row has one (`told`), or whom they are about."""

    name: str
    about: Owner  # "product" for anything that is not named for a variant or an image
    told: Owner | None = None
    told_name: str = ""


def place_of(name: str) -> Place:
    for owner, prefix in _TOLD.items():
        if name.startswith(prefix) and len(name) > len(prefix):
            return Place(name, _about(name), owner, name.removeprefix(prefix))
    return Place(name, _about(name))


def keeper(place: Place, *, first: bool, variant: bool, image: bool) -> tuple[Owner, str]:
    """Who keeps a cell on this row, and under which name."""
    there = {"product": first, "variant": variant, "image": image}
    if place.told is not None and there[place.told]:
        return place.told, place.told_name
    if place.about == "image" and image:
        return "image", place.name
    if place.about == "product" and first:
        return "product", place.name
    if variant:
        return "variant", place.name
    return ("image" if image else "product"), place.name


def product_header(name: str) -> str:
    """The column for a value of `Product.extra`, which is written on the first row."""
    return name if _plain(name) and _about(name) == "product" else _TOLD["product"] + name


def variant_header(name: str, *, first: bool, tracked: bool) -> str:
    if name == (TRACKER if tracked else QUANTITY):
        return name  # the tracker that is not Shopify's; the quantity that nobody tracks
    about = _about(name)
    home = about == "variant" or (about == "product" and not first)
    return name if home and _plain(name) else _TOLD["variant"] + name


def image_header(name: str) -> str:
    return name if name in OF_VARIANT or _plain(name) else _TOLD["image"] + name


def fits_beside_variant(image_extra: dict[str, str]) -> bool:
    """Whether a row that also has a variant can bring all these back to the image."""
    return all(_about(image_header(name)) == "image" for name in image_extra)


def _about(name: str) -> Owner:
    folded = name.lower()
    if folded.startswith(("variant ", "cost per item")):
        return "variant"
    return "image" if folded.startswith("image ") else "product"


def _plain(name: str) -> bool:
    return name.lower() not in _KNOWN_FOLDED and place_of(name).told is None
