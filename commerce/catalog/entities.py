"""The catalogue as it is read: plain values, free of any session. Amounts are minor units of `Product.currency`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import TypeAdapter

Status = Literal["active", "draft", "archived"]
InventoryPolicy = Literal["deny", "continue"]


@dataclass(frozen=True, slots=True)
class Category:
    id: str
    name: str
    slug: str


@dataclass(frozen=True, slots=True)
class Variant:
    id: str
    product_id: str
    sku: str | None
    options: dict[str, str]
    price: int
    compare_at_price: int | None
    stock: int | None
    inventory_policy: InventoryPolicy
    weight_grams: int | None
    barcode: str | None
    extra: dict[str, str]

    @property
    def title(self) -> str:
        return " / ".join(self.options.values())

    @property
    def available(self) -> bool:
        """Untracked stock is always there; policy `continue` sells below zero."""
        return self.stock is None or self.stock > 0 or self.inventory_policy == "continue"


@dataclass(frozen=True, slots=True)
class Image:
    id: str
    product_id: str
    url: str
    alt: str
    width: int | None
    height: int | None
    extra: dict[str, str]


@dataclass(frozen=True, slots=True)
class ProductHead:
    """A product without what hangs on it."""

    id: str
    handle: str
    title: str
    description: str
    vendor: str
    category_id: str | None
    status: Status
    options: list[str]
    currency: str
    price_min: int
    price_max: int
    extra: dict[str, str]
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Product:
    head: ProductHead
    category: Category | None
    tags: tuple[str, ...]
    variants: tuple[Variant, ...]
    images: tuple[Image, ...]


# How a product is kept under an idempotency key; the same for every door.
PRODUCT = TypeAdapter(Product)
