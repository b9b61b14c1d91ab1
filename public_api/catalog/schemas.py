"""The catalogue's JSON: what is read, what is sent in, and the way from and to the domain's values."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from commerce.catalog import entities
from commerce.catalog.commands import (
    CreateProduct,
    GivenPrice,
    GivenVariant,
    ImageData,
    ProductChange,
    UpdateProduct,
)
from commerce.catalog.filters import MAX_PRICE, MAX_QUERY, SortName

Status = Annotated[entities.Status, Field(description="Only active products are shown to the public.")]


class Money(BaseModel):
    amount: int = Field(description="In minor units: cents of USD, yen of JPY.", examples=[4999])
    currency: str = Field(description="ISO 4217.", examples=["USD"])


class Category(BaseModel):
    id: str = Field(examples=["cat_01jd0a3v5te8zr9k1m2n3p4q5r"])
    name: str = Field(examples=["Jackets"])
    slug: str = Field(examples=["jackets"])


class PriceRange(BaseModel):
    min: Money
    max: Money


class Variant(BaseModel):
    id: str = Field(examples=["var_01jd0a3v5te8zr9k1m2n3p4q5r"])
    sku: str | None = Field(description="Unique in the catalogue.", examples=["JKT-RIDGE-S"])
    title: str = Field(description="The option values.", examples=["Small / Moss"])
    options: dict[str, str] = Field(examples=[{"Size": "Small"}])
    price: Money
    compare_at_price: Money | None = Field(description="The price before a reduction.")
    stock: int | None = Field(description="null: not tracked, always available.")
    available: bool
    weight_grams: int | None
    barcode: str | None


class Image(BaseModel):
    id: str
    url: str
    alt: str
    width: int | None
    height: int | None


class Product(BaseModel):
    id: str = Field(examples=["prod_01jd0a3v5te8zr9k1m2n3p4q5r"])
    handle: str = Field(description="Names the product in addresses.", examples=["ridge-rain-jacket"])
    title: str = Field(examples=["Ridge Rain Jacket"])
    description: str = Field(description="Sanitised HTML.", examples=["<p>Two layers, taped seams.</p>"])
    vendor: str = Field(examples=["Alder & Fell"])
    category: Category | None
    tags: list[str] = Field(examples=[["hiking", "waterproof"]])
    status: Status
    price_range: PriceRange
    variants: list[Variant]
    images: list[Image]
    version: int = Field(description="Rises with every change; the ETag.")
    created_at: datetime
    updated_at: datetime


class ProductPage(BaseModel):
    items: list[Product]
    page: int
    size: int
    total: int


class ProductSlice(BaseModel):
    items: list[Product]
    next: str | None = Field(description="The cursor of the next page; null on the last.")
    total: int | None = Field(None, description="Only with count=true.")


class CategoryList(BaseModel):
    items: list[Category]


class _Query(BaseModel):
    model_config = ConfigDict(extra="forbid")

    q: Annotated[
        str | None, Field(max_length=MAX_QUERY, description="Words, each of which begins a word of the product.")
    ] = None
    category: Annotated[str | None, Field(description="Name or slug.")] = None
    vendor: Annotated[str | None, Field()] = None
    tag: Annotated[str | None, Field()] = None
    min_price: Annotated[int | None, Field(ge=0, le=MAX_PRICE, description="In minor units.")] = None
    max_price: Annotated[int | None, Field(ge=0, le=MAX_PRICE, description="In minor units.")] = None
    in_stock: Annotated[bool | None, Field(description="Whether some variant can be bought now.")] = None
    sort: Annotated[SortName | None, Field(description="`-` for descending; -created_at without one.")] = None


class PageQuery(_Query):
    page: Annotated[int, Field(ge=1)] = 1
    size: Annotated[int, Field(ge=1, le=100)] = 20


class SliceQuery(_Query):
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    after: Annotated[str | None, Field(max_length=2000, description="`next` of the page before.")] = None
    count: Annotated[bool, Field(description="Also say how many products fit in all.")] = False


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid")


class MoneyInput(_Input):
    # What is too little or too much is the domain's to say, the same at every door.
    amount: StrictInt = Field(description="In minor units.", examples=[4999], json_schema_extra={"minimum": 0})
    currency: str | None = Field(None, description="The shop's, if it is left out.", examples=["USD"])


class CategoryInput(_Input):
    """As a product shows it; only the name counts."""

    id: str | None = None
    name: str
    slug: str | None = None


class VariantInput(_Input):
    """A variant that was read can be sent back: what follows from the rest is taken and not looked at."""

    price: MoneyInput
    sku: str | None = Field(None, examples=["JKT-RIDGE-S"])
    options: dict[str, str] | None = Field(None, description="Several variants need these, or titles that differ.")
    title: str | None = Field(None, description="Without options: the value of the one option, Title.")
    id: str | None = Field(None, description="Not looked at: variants keep their ids by their options.")
    available: bool | None = Field(None, description="Not looked at: it follows from the stock.")
    compare_at_price: MoneyInput | None = None
    stock: StrictInt | None = Field(None, description="Leave it out for stock that is not tracked.")
    inventory_policy: Literal["deny", "continue"] = "deny"
    weight_grams: StrictInt | None = None
    barcode: str | None = None


class ImageInput(_Input):
    id: str | None = Field(None, description="Not looked at: images keep their ids by their address.")
    url: str = Field(examples=["https://images.example.com/ridge.jpg"])
    alt: str = ""
    width: StrictInt | None = None
    height: StrictInt | None = None


class ProductCreate(_Input):
    title: str = Field(examples=["Ridge Rain Jacket"])
    variants: list[VariantInput] = Field(json_schema_extra={"minItems": 1})
    handle: str | None = Field(None, description="Made from the title, if it is left out.")
    description: str = Field("", description="HTML; what is not safe to show is taken out.")
    vendor: str = ""
    category: str | CategoryInput | None = Field(None, description="Its name; a new name makes a new category.")
    tags: list[str] = Field(default_factory=list)
    status: Status = "active"
    images: list[ImageInput] = Field(default_factory=list)


class ProductUpdate(_Input):
    """What is left out stays. `variants` and `images` replace the whole list; variants keep their ids by options."""

    title: str = ""
    variants: list[VariantInput] = Field(default_factory=list)
    handle: str = Field("", description="The old handle leads to the new one.")
    description: str = ""
    vendor: str = ""
    category: str | CategoryInput | None = None
    tags: list[str] = Field(default_factory=list)
    status: Status = "active"
    images: list[ImageInput] = Field(default_factory=list)


def product_schema(product: entities.Product) -> Product:
    head = product.head
    currency = head.currency
    return Product(
        id=head.id,
        handle=head.handle,
        title=head.title,
        description=head.description,
        vendor=head.vendor,
        category=category_schema(product.category) if product.category else None,
        tags=list(product.tags),
        status=head.status,
        price_range=PriceRange(
            min=Money(amount=head.price_min, currency=currency), max=Money(amount=head.price_max, currency=currency)
        ),
        variants=[_variant_schema(variant, currency) for variant in product.variants],
        images=[
            Image(id=image.id, url=image.url, alt=image.alt, width=image.width, height=image.height)
            for image in product.images
        ],
        version=head.version,
        created_at=head.created_at,
        updated_at=head.updated_at,
    )


def category_schema(category: entities.Category) -> Category:
    return Category(id=category.id, name=category.name, slug=category.slug)


def _variant_schema(variant: entities.Variant, currency: str) -> Variant:
    before = variant.compare_at_price
    return Variant(
        id=variant.id,
        sku=variant.sku,
        title=variant.title,
        options=variant.options,
        price=Money(amount=variant.price, currency=currency),
        compare_at_price=Money(amount=before, currency=currency) if before is not None else None,
        stock=variant.stock,
        available=variant.available,
        weight_grams=variant.weight_grams,
        barcode=variant.barcode,
    )


def create_command(body: ProductCreate) -> CreateProduct:
    """The same as GraphQL's for the same request, or no key would be known on both."""
    return CreateProduct(
        title=body.title,
        variants=_given_variants(body.variants),
        handle=body.handle,
        description=body.description,
        vendor=body.vendor,
        category=_category_name(body.category),
        tags=tuple(body.tags),
        status=body.status,
        images=_images(body.images),
    )


def update_command(product_id: str, body: ProductUpdate, expected_version: int | None) -> UpdateProduct:
    """As `create_command`."""
    values: ProductChange = {
        "title": body.title,
        "variants": _given_variants(body.variants),
        "handle": body.handle,
        "description": body.description,
        "vendor": body.vendor,
        "category": _category_name(body.category),
        "tags": tuple(body.tags),
        "status": body.status,
        "images": _images(body.images),
    }
    given = {name: value for name, value in values.items() if name in body.model_fields_set}
    return UpdateProduct(product_id, cast("ProductChange", given), expected_version)


def _category_name(given: str | CategoryInput | None) -> str | None:
    return given.name if isinstance(given, CategoryInput) else given


def _given_variants(variants: Sequence[VariantInput]) -> tuple[GivenVariant, ...]:
    return tuple(
        GivenVariant(
            price=_given_price(variant.price),
            options=variant.options,
            title=variant.title,
            sku=variant.sku,
            compare_at_price=_given_price(variant.compare_at_price) if variant.compare_at_price else None,
            stock=variant.stock,
            inventory_policy=variant.inventory_policy,
            weight_grams=variant.weight_grams,
            barcode=variant.barcode,
        )
        for variant in variants
    )


def _given_price(price: MoneyInput) -> GivenPrice:
    return GivenPrice(price.amount, price.currency)


def _images(images: Sequence[ImageInput]) -> tuple[ImageData, ...]:
    return tuple(ImageData(**image.model_dump(exclude={"id"})) for image in images)
