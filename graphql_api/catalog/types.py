"""The catalogue's types: REST's shapes in camelCase. Lists below a product come through loaders."""

from datetime import datetime
from enum import Enum

import strawberry

from commerce.accounts.principal import Principal
from commerce.catalog import entities
from core import money
from graphql_api.context import Info
from graphql_api.cost_directives import sized
from graphql_api.fields import field
from graphql_api.money import Money, money_type
from graphql_api.node import Node
from graphql_api.pagination import Edge


@strawberry.enum(name="ProductStatus", description="In lower case, as on REST. Only active products are on sale.")
class ProductStatus(Enum):
    active = strawberry.enum_value("active", description="On sale, and shown to everybody.")
    draft = strawberry.enum_value("draft", description="Not on sale yet.")
    archived = strawberry.enum_value("archived", description="Not on sale any more.")


@strawberry.enum(name="InventoryPolicy", description="In lower case, as on REST. What happens when none is left.")
class InventoryPolicy(Enum):
    deny = strawberry.enum_value("deny", description="It cannot be bought any more.")
    continue_ = strawberry.enum_value("continue", name="continue", description="It is sold on, below nought.")


@strawberry.type(description="The lowest and the highest price of a product's variants.")
class PriceRange:
    min: Money = strawberry.field(description="The lowest.")
    max: Money = strawberry.field(description="The highest.")


@strawberry.type(description="A kind of product.")
class Category:
    id: strawberry.ID = strawberry.field(description="`cat_...`")
    name: str = strawberry.field(description="As it is shown.")
    slug: str = strawberry.field(description="As it is written in addresses.")


@strawberry.type(description="One of the choices that make a variant, such as Size: Small.")
class VariantOption:
    name: str = strawberry.field(description="What is chosen, such as Size.")
    value: str = strawberry.field(description="The choice, such as Small.")


@strawberry.type(description="A product as it is bought: one size, one colour.")
class Variant:
    id: strawberry.ID = strawberry.field(description="`var_...`")
    sku: str | None = strawberry.field(description="Unique in the catalogue.")
    title: str = strawberry.field(description="The option values, such as `Small / Moss`.")
    options: list[VariantOption] = strawberry.field(description="In the product's order.", directives=[sized(2)])
    price: Money = strawberry.field(description="For one.")
    compare_at_price: Money | None = strawberry.field(description="The price before a reduction.")
    stock: int | None = strawberry.field(description="null: not tracked, always available.")
    available: bool = strawberry.field(description="Whether it can be bought now.")
    weight_grams: int | None = strawberry.field(description="Of one, packed.")
    barcode: str | None = strawberry.field(description="GTIN, EAN, UPC or ISBN.")


@strawberry.type(description="A picture of a product.")
class Image:
    id: strawberry.ID = strawberry.field(description="`img_...`")
    url: str = strawberry.field(description="Where it is.")
    alt: str = strawberry.field(description="What it shows, for those who do not see it.")
    width: int | None = strawberry.field(description="In pixels; null: not measured.")
    height: int | None = strawberry.field(description="In pixels; null: not measured.")


@strawberry.type(description="Something that is sold.")
class Product(Node):
    handle: str = strawberry.field(description="Names the product in addresses.")
    title: str = strawberry.field(description="As it is shown.")
    description: str = strawberry.field(description="Sanitised HTML.")
    vendor: str = strawberry.field(description="Who makes or sells it.")
    status: ProductStatus = strawberry.field(description="Whether it is on sale.")
    price_range: PriceRange = strawberry.field(description="Over all variants.")
    version: int = strawberry.field(description="Rises with every change.")
    created_at: datetime = strawberry.field(description="When it was made.")
    updated_at: datetime = strawberry.field(description="When it was last changed.")
    head: strawberry.Private[entities.ProductHead]

    @field("What kind of product it is; null: none was given.")
    async def category(self, info: Info) -> Category | None:
        if self.head.category_id is None:
            return None
        found = await info.context.loaders.categories.load(self.head.category_id)
        return category_type(found) if found else None

    @field("Words it is found by.")
    async def tags(self, info: Info) -> list[str]:
        return list(await info.context.loaders.tags.load(self.head.id))

    @field("All of them; at least one.", sized(5))
    async def variants(self, info: Info) -> list[Variant]:
        found = await info.context.loaders.variants.load(self.head.id)
        return [_variant_type(variant, self.head.currency) for variant in found]

    @field("All of them; the first is the one for lists.", sized(5))
    async def images(self, info: Info) -> list[Image]:
        return [
            Image(id=strawberry.ID(image.id), url=image.url, alt=image.alt, width=image.width, height=image.height)
            for image in await info.context.loaders.images.load(self.head.id)
        ]


@strawberry.type(description="A product and its place in the list.")
class ProductEdge(Edge[Product]):
    pass


def is_visible(head: entities.ProductHead, principal: Principal) -> bool:
    return head.status == "active" or principal.sees_unpublished


def product_type(head: entities.ProductHead) -> Product:
    return Product(
        id=strawberry.ID(head.id),
        handle=head.handle,
        title=head.title,
        description=head.description,
        vendor=head.vendor,
        status=ProductStatus(head.status),
        price_range=PriceRange(min=_money(head.price_min, head.currency), max=_money(head.price_max, head.currency)),
        version=head.version,
        created_at=head.created_at,
        updated_at=head.updated_at,
        head=head,
    )


def category_type(category: entities.Category) -> Category:
    return Category(id=strawberry.ID(category.id), name=category.name, slug=category.slug)


def _variant_type(variant: entities.Variant, currency: str) -> Variant:
    before = variant.compare_at_price
    return Variant(
        id=strawberry.ID(variant.id),
        sku=variant.sku,
        title=variant.title,
        options=[VariantOption(name=name, value=value) for name, value in variant.options.items()],
        price=_money(variant.price, currency),
        compare_at_price=_money(before, currency) if before is not None else None,
        stock=variant.stock,
        available=variant.available,
        weight_grams=variant.weight_grams,
        barcode=variant.barcode,
    )


def _money(amount: int, currency: str) -> Money:
    return money_type(money.Money(amount, currency))
