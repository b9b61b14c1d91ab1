"""What mutations of the catalogue take. What makes it valid is the domain's to say."""

from collections.abc import Sequence
from typing import cast

import strawberry

from commerce.catalog import entities
from commerce.catalog.commands import (
    CreateProduct,
    GivenPrice,
    GivenVariant,
    ImageData,
    ProductChange,
    UpdateProduct,
)
from core.errors import FieldError, Invalid
from graphql_api.catalog.types import InventoryPolicy, ProductStatus
from graphql_api.money import MoneyInput

_CLEARED_BY_NULL = {"category"}


@strawberry.input(name="VariantOptionInput", description="One of the choices that make a variant, such as Size: Small.")
class VariantOptionInput:
    name: str = strawberry.field(description="What is chosen, such as Size.")
    value: str = strawberry.field(description="The choice, such as Small.")


@strawberry.input(
    name="ProductVariantInput", description="A variant of a product. Those that stay are known by options."
)
class ProductVariantInput:
    price: MoneyInput = strawberry.field(description="For one.")
    options: list[VariantOptionInput] | None = strawberry.field(
        default=None, description="Of every variant the same names. Several variants need these, or titles that differ."
    )
    title: str | None = strawberry.field(
        default=None, description="Without options: the value of the one option, Title."
    )
    sku: str | None = strawberry.field(default=None, description="Unique in the catalogue.")
    compare_at_price: MoneyInput | None = strawberry.field(default=None, description="The price before a reduction.")
    stock: int | None = strawberry.field(default=None, description="null: not tracked, always available.")
    inventory_policy: InventoryPolicy = strawberry.field(
        default=InventoryPolicy.deny, description="Whether it sells below nought."
    )
    weight_grams: int | None = strawberry.field(default=None, description="Of one, packed.")
    barcode: str | None = strawberry.field(default=None, description="GTIN, EAN, UPC or ISBN.")


@strawberry.input(name="ProductImageInput", description="A picture of a product. Those that stay are known by address.")
class ProductImageInput:
    url: str = strawberry.field(description="Where it is: http or https.")
    alt: str = strawberry.field(default="", description="What it shows, for those who do not see it.")
    width: int | None = strawberry.field(default=None, description="In pixels.")
    height: int | None = strawberry.field(default=None, description="In pixels.")


@strawberry.input(name="CreateProductInput", description="A product that is to be.")
class CreateProductInput:
    title: str = strawberry.field(description="As it is shown.")
    variants: list[ProductVariantInput] = strawberry.field(description="At least one, in their order.")
    handle: str | None = strawberry.field(default=None, description="Made from the title where you leave it out.")
    description: str = strawberry.field(default="", description="HTML; what is not safe to show is taken out.")
    vendor: str = strawberry.field(default="", description="Who makes or sells it.")
    category: str | None = strawberry.field(default=None, description="Its name; a new name makes a new category.")
    tags: list[str] = strawberry.field(default_factory=list, description="Words it is found by.")
    status: ProductStatus = strawberry.field(default=ProductStatus.active, description="Whether it is on sale.")
    images: list[ProductImageInput] = strawberry.field(default_factory=list, description="The first is for lists.")


@strawberry.input(
    name="UpdateProductInput",
    description="What is left out stays as it is; a list replaces the whole list. null clears the category, and is "
    "refused for any other.",
)
class UpdateProductInput:
    title: str | None = strawberry.field(default=strawberry.UNSET, description="As it is shown.")
    variants: list[ProductVariantInput] | None = strawberry.field(
        default=strawberry.UNSET, description="All of them. Those whose options stay keep their ids."
    )
    handle: str | None = strawberry.field(default=strawberry.UNSET, description="The old one leads to the new one.")
    description: str | None = strawberry.field(
        default=strawberry.UNSET, description="HTML; what is not safe to show is taken out."
    )
    vendor: str | None = strawberry.field(default=strawberry.UNSET, description="Who makes or sells it.")
    category: str | None = strawberry.field(
        default=strawberry.UNSET, description="Its name; a new name makes a new category, null leaves it without one."
    )
    tags: list[str] | None = strawberry.field(default=strawberry.UNSET, description="All of them.")
    status: ProductStatus | None = strawberry.field(default=strawberry.UNSET, description="Whether it is on sale.")
    images: list[ProductImageInput] | None = strawberry.field(default=strawberry.UNSET, description="All of them.")


def create_command(given: CreateProductInput) -> CreateProduct:
    """The same as REST's for the same request, or no key would be known on both. Raises Invalid."""
    return CreateProduct(
        title=given.title,
        variants=_variants(given.variants),
        handle=given.handle,
        description=given.description,
        vendor=given.vendor,
        category=given.category,
        tags=tuple(given.tags),
        status=cast("entities.Status", given.status.value),
        images=_images(given.images),
    )


def update_command(product_id: str, given: UpdateProductInput, expected_version: int | None) -> UpdateProduct:
    """As `create_command`."""
    named = {name: value for name, value in vars(given).items() if value is not strawberry.UNSET}
    faults = tuple(
        FieldError(f"/{name}", "invalid", "cannot be null; leave it out instead")
        for name, value in named.items()
        if value is None and name not in _CLEARED_BY_NULL
    )
    if faults:
        raise Invalid(f"{faults[0].pointer.removeprefix('/')} {faults[0].message}", errors=faults)
    if "variants" in named:
        named["variants"] = _variants(named["variants"])
    if "images" in named:
        named["images"] = _images(named["images"])
    if "tags" in named:
        named["tags"] = tuple(named["tags"])
    if "status" in named:
        named["status"] = named["status"].value
    return UpdateProduct(product_id, cast("ProductChange", named), expected_version)


def _variants(variants: Sequence[ProductVariantInput]) -> tuple[GivenVariant, ...]:
    return tuple(
        GivenVariant(
            price=_price(variant.price),
            options=_options(variant.options, f"/variants/{index}/options") if variant.options is not None else None,
            title=variant.title,
            sku=variant.sku,
            compare_at_price=_price(variant.compare_at_price) if variant.compare_at_price else None,
            stock=variant.stock,
            inventory_policy=cast("entities.InventoryPolicy", variant.inventory_policy.value),
            weight_grams=variant.weight_grams,
            barcode=variant.barcode,
        )
        for index, variant in enumerate(variants)
    )


def _options(given: Sequence[VariantOptionInput], pointer: str) -> dict[str, str]:
    """What REST's objects cannot say is refused here."""
    options = {option.name: option.value for option in given}
    if len(options) != len(given):
        fault = FieldError(pointer, "duplicate", "names an option twice")
        raise Invalid(f"{pointer.removeprefix('/')} {fault.message}", errors=(fault,))
    return options


def _price(given: MoneyInput) -> GivenPrice:
    return GivenPrice(given.amount, given.currency)


def _images(images: Sequence[ProductImageInput]) -> tuple[ImageData, ...]:
    return tuple(ImageData(url=image.url, alt=image.alt, width=image.width, height=image.height) for image in images)
