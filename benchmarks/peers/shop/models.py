"""The catalogue's tables as ORM classes, for the peers that use SQLAlchemy: written as its tutorial writes them.

Nothing refers back to its product. Rows that refer to each other are garbage that only the collector frees, and while
sessions overlap Python 3.11 crashes in that: with aiosqlite, with threads, and with asyncpg alike.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import JSON, ForeignKey, Select, select
from sqlalchemy.orm import DeclarativeBase, Mapped, joinedload, mapped_column, relationship, selectinload
from sqlalchemy.sql.base import ExecutableOption


class Base(DeclarativeBase):
    pass


@dataclass
class Money:
    amount: int
    currency: str


@dataclass
class PriceRange:
    min: Money
    max: Money


class Category(Base):
    __tablename__ = "categories"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    slug: Mapped[str]


class Variant(Base):
    __tablename__ = "variants"

    id: Mapped[str] = mapped_column(primary_key=True)
    product_id: Mapped[str] = mapped_column(ForeignKey("products.id"))
    position: Mapped[int]
    sku: Mapped[str | None]
    options: Mapped[dict[str, str]] = mapped_column(JSON)
    amount: Mapped[int] = mapped_column("price")
    amount_before: Mapped[int | None] = mapped_column("compare_at_price")
    stock: Mapped[int | None]
    inventory_policy: Mapped[str]
    weight_grams: Mapped[int | None]
    barcode: Mapped[str | None]
    currency = ""  # its product's, which sets it

    @property
    def title(self) -> str:
        return " / ".join(self.options.values())

    @property
    def price(self) -> Money:
        return Money(self.amount, self.currency)

    @property
    def compare_at_price(self) -> Money | None:
        return None if self.amount_before is None else Money(self.amount_before, self.currency)

    @property
    def available(self) -> bool:
        return self.stock is None or self.stock > 0 or self.inventory_policy == "continue"


class Image(Base):
    __tablename__ = "product_images"

    id: Mapped[str] = mapped_column(primary_key=True)
    product_id: Mapped[str] = mapped_column(ForeignKey("products.id"))
    position: Mapped[int]
    url: Mapped[str]
    alt: Mapped[str]
    width: Mapped[int | None]
    height: Mapped[int | None]


class Tag(Base):
    __tablename__ = "product_tags"

    product_id: Mapped[str] = mapped_column(ForeignKey("products.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    tag: Mapped[str]


class Product(Base):
    __tablename__ = "products"

    id: Mapped[str] = mapped_column(primary_key=True)
    handle: Mapped[str]
    title: Mapped[str]
    description: Mapped[str]
    vendor: Mapped[str]
    category_id: Mapped[str | None] = mapped_column(ForeignKey("categories.id"))
    status: Mapped[str]
    currency: Mapped[str]
    price_min: Mapped[int]
    price_max: Mapped[int]
    version: Mapped[int]
    created: Mapped[datetime] = mapped_column("created_at")
    updated: Mapped[datetime] = mapped_column("updated_at")
    category: Mapped[Category | None] = relationship()
    variant_rows: Mapped[list[Variant]] = relationship(order_by=Variant.position)
    images: Mapped[list[Image]] = relationship(order_by=Image.position)
    tag_rows: Mapped[list[Tag]] = relationship(order_by=Tag.position)

    @property
    def price_range(self) -> PriceRange:
        return PriceRange(Money(self.price_min, self.currency), Money(self.price_max, self.currency))

    @property
    def variants(self) -> list[Variant]:
        for row in self.variant_rows:
            row.currency = self.currency
        return self.variant_rows

    @property
    def created_at(self) -> datetime:
        return self.created.replace(tzinfo=UTC)

    @property
    def updated_at(self) -> datetime:
        return self.updated.replace(tzinfo=UTC)

    @property
    def tags(self) -> list[str]:
        return [row.tag for row in self.tag_rows]


def on_sale() -> Select[tuple[Product]]:
    return select(Product).where(Product.status == "active").order_by(Product.created.desc(), Product.id.desc())


def whole() -> tuple[ExecutableOption, ...]:
    """All that hangs on a product, in one statement a kind."""
    return (
        joinedload(Product.category),
        selectinload(Product.variant_rows),
        selectinload(Product.images),
        selectinload(Product.tag_rows),
    )
