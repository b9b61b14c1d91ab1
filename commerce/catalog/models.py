"""Tables of the catalogue. Rows are read as `entities`; nothing outside `repository` and `storage` sees these."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from core.database import Base, PlainOrder

_SOLD_OUT = text("stock <= 0 AND inventory_policy != 'continue'")
# What lists are ordered by, by the names of its indexes.
_SORTS = {"created": "created_at", "updated": "updated_at", "title": "title_order", "price": "price_min"}


def _in_order(name: str, *, after: Sequence[str]) -> list[Index]:
    """An index for each order of products. It ends with the status: who may not see drafts passes over them in the
    index, however many they are.
    """
    return [Index(f"{name}_{sort}", *after, column, "id", "status") for sort, column in _SORTS.items()]


class CategoryRow(Base):
    __tablename__ = "categories"

    id: Mapped[str] = mapped_column(String, primary_key=True)
    name: Mapped[str] = mapped_column(String, unique=True)
    slug: Mapped[str] = mapped_column(String, unique=True)


class ProductRow(Base):
    __tablename__ = "products"
    __table_args__ = (
        Index("ix_products_spread", "price_spread"),
        *_in_order("ix_products", after=()),
        *_in_order("ix_products_category", after=("category_id",)),
        *_in_order("ix_products_vendor", after=("vendor",)),
    )

    id: Mapped[str] = mapped_column(PlainOrder, primary_key=True)
    handle: Mapped[str] = mapped_column(String, unique=True)
    title: Mapped[str] = mapped_column(String)
    title_order: Mapped[str] = mapped_column(PlainOrder)  # folded: what `sort=title` compares
    description: Mapped[str] = mapped_column(Text)
    vendor: Mapped[str] = mapped_column(String)
    category_id: Mapped[str | None] = mapped_column(ForeignKey("categories.id"))
    status: Mapped[str] = mapped_column(String)
    options: Mapped[list[str]]  # names, in order
    currency: Mapped[str] = mapped_column(String(3))
    price_min: Mapped[int] = mapped_column(BigInteger)  # of the variants, kept by `storage`
    price_max: Mapped[int] = mapped_column(BigInteger)
    price_spread: Mapped[int] = mapped_column(BigInteger, server_default="0")  # from the lowest to the highest
    extra: Mapped[dict[str, str]]  # columns of an imported file that we have no field for
    version: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class VariantRow(Base):
    __tablename__ = "variants"
    __table_args__ = (
        CheckConstraint("price >= 0", name="price_not_negative"),
        Index("ix_variants_product", "product_id", "position"),
        Index("ix_variants_price", "price", "product_id"),
        Index("ix_variants_sold_out", "product_id", sqlite_where=_SOLD_OUT, postgresql_where=_SOLD_OUT),
    )

    id: Mapped[str] = mapped_column(String, primary_key=True)
    product_id: Mapped[str] = mapped_column(ForeignKey("products.id", ondelete="CASCADE"))
    position: Mapped[int] = mapped_column(Integer)
    sku: Mapped[str | None] = mapped_column(String, unique=True)
    options: Mapped[dict[str, str]]
    price: Mapped[int] = mapped_column(BigInteger)
    compare_at_price: Mapped[int | None] = mapped_column(BigInteger)
    stock: Mapped[int | None] = mapped_column(Integer)  # None: untracked
    inventory_policy: Mapped[str] = mapped_column(String)
    weight_grams: Mapped[int | None] = mapped_column(Integer)
    barcode: Mapped[str | None] = mapped_column(String)
    extra: Mapped[dict[str, str]]


class ImageRow(Base):
    __tablename__ = "product_images"
    __table_args__ = (Index("ix_product_images_product", "product_id", "position"),)

    id: Mapped[str] = mapped_column(String, primary_key=True)
    product_id: Mapped[str] = mapped_column(ForeignKey("products.id", ondelete="CASCADE"))
    position: Mapped[int] = mapped_column(Integer)
    url: Mapped[str] = mapped_column(String)
    alt: Mapped[str] = mapped_column(String)
    width: Mapped[int | None] = mapped_column(Integer)
    height: Mapped[int | None] = mapped_column(Integer)
    extra: Mapped[dict[str, str]]
    media_id: Mapped[str | None] = mapped_column(String, index=True)  # where `url` leads to an image uploaded here


class TagRow(Base):
    """With copies of what the products of a tag are ordered by, kept by `storage`: as short is the way to the first of
    them, whether all products have the tag or one. Not of `updated_at`, which every order would have to write again.
    """

    __tablename__ = "product_tags"
    __table_args__ = (
        Index("ix_product_tags_created", "tag", "created_at", "product_id"),
        Index("ix_product_tags_title", "tag", "title_order", "product_id"),
        Index("ix_product_tags_price", "tag", "price_min", "product_id"),
    )

    product_id: Mapped[str] = mapped_column(ForeignKey("products.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    tag: Mapped[str] = mapped_column(String)
    created_at: Mapped[datetime]
    title_order: Mapped[str] = mapped_column(PlainOrder)
    price_min: Mapped[int] = mapped_column(BigInteger)


class RetiredHandleRow(Base):
    """A handle that a product had before; reads of it are led to the new one."""

    __tablename__ = "retired_handles"

    handle: Mapped[str] = mapped_column(String, primary_key=True)
    product_id: Mapped[str] = mapped_column(ForeignKey("products.id", ondelete="CASCADE"), index=True)


class DocumentRow(Base):
    """The words that a product is found by, folded. A migration adds the full-text index of each database."""

    __tablename__ = "product_documents"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    product_id: Mapped[str] = mapped_column(ForeignKey("products.id", ondelete="CASCADE"), unique=True)
    title: Mapped[str] = mapped_column(Text)
    details: Mapped[str] = mapped_column(Text)  # vendor, category, tags, SKUs, options
    description: Mapped[str] = mapped_column(Text)
