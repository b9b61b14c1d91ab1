"""What the catalogue is told to do. Amounts are minor units of `currency`."""

from dataclasses import dataclass, field

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
