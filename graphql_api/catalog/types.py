"""The catalogue's types: REST's shapes in camelCase. Lists below a product come through loaders."""

from datetime import datetime
from enum import Enum
from typing import Annotated

import strawberry

from commerce.accounts.principal import Principal
from commerce.catalog import entities
from core import money
from graphql_api.context import Info
from graphql_api.cost_directives import sized
from graphql_api.fields import column, field
from graphql_api.money import Money, money_type
from graphql_api.node import Node
from graphql_api.pagination import Edge
from graphql_api.selection import columns


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
    row: strawberry.Private[entities.Category]
    id: strawberry.ID = column("`cat_...`")
    name: str = column("As it is shown.")
    slug: str = column("As it is written in addresses.")


@strawberry.type(description="One of the choices that make a variant, such as Size: Small.")
class VariantOption:
    name: str = strawberry.field(description="What is chosen, such as Size.")
    value: str = strawberry.field(description="The choice, such as Small.")


@strawberry.type(description="A product as it is bought: one size, one colour.")
class Variant(Node):
    row: strawberry.Private[entities.Variant]
    currency: strawberry.Private[str]
    id: strawberry.ID = column("`var_...`")
    sku: str | None = column("Unique in the catalogue.")
    title: str = column("The option values, such as `Small / Moss`.", reads=("options",))
    stock: int | None = column("null: not tracked, always available.")
    available: bool = column("Whether it can be bought now.", reads=("stock", "inventory_policy"))
    weight_grams: int | None = column("Of one, packed.")
    barcode: str | None = column("GTIN, EAN, UPC or ISBN.")

    @field("In the product's order.", sized(2), reads=("options",))
    def options(self) -> list[VariantOption]:
        return [VariantOption(name=name, value=value) for name, value in self.row.options.items()]

    @field("For one.", reads=("price",))
    def price(self) -> Money:
        return _money(self.row.price, self.currency)

    @field("The price before a reduction.", reads=("compare_at_price",))
    def compare_at_price(self) -> Money | None:
        before = self.row.compare_at_price
        return _money(before, self.currency) if before is not None else None

    @field("What it is a variant of; null: it is gone since.", reads=("product_id",))
    async def product(self, info: Info) -> Annotated["Product", strawberry.lazy("graphql_api.catalog.types")] | None:
        head = await info.context.loaders.products.load(self.row.product_id, columns(info, Product))
        return product_type(head) if head else None


@strawberry.type(description="A picture of a product.")
class Image:
    row: strawberry.Private[entities.Image]
    id: strawberry.ID = column("`img_...`")
    url: str = column("Where it is.")
    alt: str = column("What it shows, for those who do not see it.")
    width: int | None = column("In pixels; null: not measured.")
    height: int | None = column("In pixels; null: not measured.")


@strawberry.type(description="Something that is sold.")
class Product(Node):
    row: strawberry.Private[entities.ProductHead]
    handle: str = column("Names the product in addresses.")
    title: str = column("As it is shown.")
    description: str = column("Sanitised HTML.")
    vendor: str = column("Who makes or sells it.")
    version: int = column("Rises with every change.")
    created_at: datetime = column("When it was made.")
    updated_at: datetime = column("When it was last changed.")

    @field("Whether it is on sale.", reads=("status",))
    def status(self) -> ProductStatus:
        return ProductStatus(self.row.status)

    @field("Over all variants.", reads=("price_min", "price_max", "currency"))
    def price_range(self) -> PriceRange:
        row = self.row
        return PriceRange(min=_money(row.price_min, row.currency), max=_money(row.price_max, row.currency))

    @field("What kind of product it is; null: none was given.", reads=("category_id",))
    async def category(self, info: Info) -> Category | None:
        if self.row.category_id is None:
            return None
        found = await info.context.loaders.categories.load(self.row.category_id, columns(info, Category))
        return Category(row=found) if found else None

    @field("Words it is found by.")
    async def tags(self, info: Info) -> list[str]:
        return list(await info.context.loaders.tags.load(self.id))

    @field("All of them; at least one.", sized(5), reads=("currency",))
    async def variants(self, info: Info) -> list[Variant]:
        found = await info.context.loaders.variants.load(self.id, columns(info, Variant))
        return [Variant(row=variant, currency=self.row.currency) for variant in found]

    @field("All of them; the first is the one for lists.", sized(5))
    async def images(self, info: Info) -> list[Image]:
        found = await info.context.loaders.images.load(self.id, columns(info, Image))
        return [Image(row=image) for image in found]


@strawberry.type(description="A product and its place in the list.")
class ProductEdge(Edge[Product]):
    pass


def is_visible(head: entities.ProductHead, principal: Principal) -> bool:
    return head.status == "active" or principal.sees_unpublished


def product_type(head: entities.ProductHead) -> Product:
    return Product(id=strawberry.ID(head.id), row=head)


def _money(amount: int, currency: str) -> Money:
    return money_type(money.Money(amount, currency))
