"""Litestar as its documentation shows it: SQLAlchemy's ORM by a provided session, answers as msgspec structs."""

import os
from collections.abc import AsyncIterator
from datetime import datetime

import msgspec
from litestar import Litestar, get
from litestar.di import Provide
from litestar.exceptions import NotFoundException
from shop.models import Product, on_sale, whole
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

engine = create_async_engine(os.environ["DATABASE_URL"], pool_size=16, max_overflow=0)  # as many as ask at once
sessions = async_sessionmaker(engine, expire_on_commit=False)


async def provide_session() -> AsyncIterator[AsyncSession]:
    async with sessions() as session:
        yield session


class Money(msgspec.Struct):
    amount: int
    currency: str


class PriceRange(msgspec.Struct):
    min: Money
    max: Money


class CategoryRead(msgspec.Struct):
    id: str
    name: str
    slug: str


class VariantRead(msgspec.Struct):
    id: str
    sku: str | None
    title: str
    options: dict[str, str]
    price: Money
    compare_at_price: Money | None
    stock: int | None
    available: bool
    weight_grams: int | None
    barcode: str | None


class ImageRead(msgspec.Struct):
    id: str
    url: str
    alt: str
    width: int | None
    height: int | None


class ProductRead(msgspec.Struct):
    id: str
    handle: str
    title: str
    description: str
    vendor: str
    category: CategoryRead | None
    tags: list[str]
    status: str
    price_range: PriceRange
    variants: list[VariantRead]
    images: list[ImageRead]
    version: int
    created_at: datetime
    updated_at: datetime


class ProductPage(msgspec.Struct):
    items: list[ProductRead]
    page: int
    size: int
    total: int


def read(product: Product) -> ProductRead:
    return msgspec.convert(product, ProductRead, from_attributes=True)


@get("/products")
async def list_products(session: AsyncSession, page: int = 1, size: int = 20) -> ProductPage:
    products = await session.scalars(on_sale().options(*whole()).offset((page - 1) * size).limit(size))
    total = await session.scalar(select(func.count()).select_from(Product).where(Product.status == "active"))
    return ProductPage([read(product) for product in products], page, size, total or 0)


@get("/products/{product_id:str}")
async def get_product(session: AsyncSession, product_id: str) -> ProductRead:
    product = await session.scalar(on_sale().options(*whole()).where(Product.id == product_id))
    if product is None:
        raise NotFoundException
    return read(product)


app = Litestar([list_products, get_product], dependencies={"session": Provide(provide_session)}, openapi_config=None)
