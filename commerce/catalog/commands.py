"""What the catalogue is told to do. Amounts are minor units of `currency`."""

from dataclasses import dataclass, field
from typing import TypedDict

from commerce.catalog.entities import InventoryPolicy, Product, Status

SINGLE_VARIANT = {"Title": "Default Title"}  # Shopify's convention for a product without options


@dataclass(frozen=True, slots=True)
class VariantData:
    price: int
    options: dict[str, str] = field(default_factory=lambda: dict(SINGLE_VARIANT))
    sku: str | None = None
    compare_at_price: int | None = None
    stock: int | None = None
    inventory_policy: InventoryPolicy = "deny"
    weight_grams: int | None = None
    barcode: str | None = None
    extra: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ImageData:
    url: str
    alt: str = ""
    width: int | None = None
    height: int | None = None
    extra: dict[str, str] = field(default_factory=dict)
    id: str | None = field(default=None, compare=False)  # that a new image is to have; one is made without


@dataclass(frozen=True, slots=True)
class ProductData:
    """A whole product, as it is to be. `category` is a name; a new name makes a new category."""

    handle: str
    title: str
    variants: tuple[VariantData, ...]
    currency: str
    description: str = ""
    vendor: str = ""
    category: str | None = None
    tags: tuple[str, ...] = ()
    status: Status = "active"
    options: tuple[str, ...] = ("Title",)
    images: tuple[ImageData, ...] = ()
    extra: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GivenPrice:
    """As a caller says it: without a currency, in the product's own."""

    amount: int
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class GivenVariant:
    """As a caller says it: options in any order; without any, the title is the value of the one option, Title."""

    price: GivenPrice
    options: dict[str, str] | None = None
    title: str | None = None
    sku: str | None = None
    compare_at_price: GivenPrice | None = None
    stock: int | None = None
    inventory_policy: InventoryPolicy = "deny"
    weight_grams: int | None = None
    barcode: str | None = None


@dataclass(frozen=True, slots=True)
class CreateProduct:
    """Without a handle, one that is free is made from the title."""

    title: str
    variants: tuple[GivenVariant, ...]
    handle: str | None = None
    description: str = ""
    vendor: str = ""
    category: str | None = None
    tags: tuple[str, ...] = ()
    status: Status = "active"
    images: tuple[ImageData, ...] = ()


class ProductChange(TypedDict, total=False):
    """What is not in it stays as it is. Lists are replaced whole."""

    title: str
    variants: tuple[GivenVariant, ...]
    handle: str
    description: str
    vendor: str
    category: str | None
    tags: tuple[str, ...]
    status: Status
    images: tuple[ImageData, ...]


@dataclass(frozen=True, slots=True)
class UpdateProduct:
    """With `expected_version`, only if the product is still at that version."""

    product_id: str
    change: ProductChange
    expected_version: int | None = None


def data_of(product: Product) -> ProductData:
    """The command that would make this product as it is: what an import compares with, and a change starts from."""
    head = product.head
    return ProductData(
        handle=head.handle,
        title=head.title,
        description=head.description,
        vendor=head.vendor,
        category=product.category.name if product.category else None,
        tags=product.tags,
        status=head.status,
        options=tuple(head.options),
        currency=head.currency,
        extra=head.extra,
        variants=tuple(
            VariantData(
                price=variant.price,
                options=variant.options,
                sku=variant.sku,
                compare_at_price=variant.compare_at_price,
                stock=variant.stock,
                inventory_policy=variant.inventory_policy,
                weight_grams=variant.weight_grams,
                barcode=variant.barcode,
                extra=variant.extra,
            )
            for variant in product.variants
        ),
        images=tuple(
            ImageData(url=image.url, alt=image.alt, width=image.width, height=image.height, extra=image.extra)
            for image in product.images
        ),
    )
