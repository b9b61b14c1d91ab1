"""FastAPI as its documentation shows it: SQLAlchemy's ORM, a session a request, response models from attributes."""

import os
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel, ConfigDict
from shop.models import Product, on_sale, whole
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

engine = create_async_engine(os.environ["DATABASE_URL"], pool_size=16, max_overflow=0)  # as many as ask at once
sessions = async_sessionmaker(engine, expire_on_commit=False)
app = FastAPI()


async def get_session() -> AsyncIterator[AsyncSession]:
    async with sessions() as session:
        yield session


Session = Annotated[AsyncSession, Depends(get_session)]


class Read(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class Money(Read):
    amount: int
    currency: str


class PriceRange(Read):
    min: Money
    max: Money


class CategoryRead(Read):
    id: str
    name: str
    slug: str


class VariantRead(Read):
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


class ImageRead(Read):
    id: str
    url: str
    alt: str
    width: int | None
    height: int | None


class ProductRead(Read):
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


class ProductPage(Read):
    items: list[ProductRead]
    page: int
    size: int
    total: int


@app.get("/products", response_model=ProductPage)
async def list_products(session: Session, page: int = 1, size: int = 20) -> Any:
    products = await session.scalars(on_sale().options(*whole()).offset((page - 1) * size).limit(size))
    total = await session.scalar(select(func.count()).select_from(Product).where(Product.status == "active"))
    return {"items": products.all(), "page": page, "size": size, "total": total}


@app.get("/products/{product_id}", response_model=ProductRead)
async def get_product(session: Session, product_id: str) -> Any:
    product = await session.scalar(on_sale().options(*whole()).where(Product.id == product_id))
    if product is None:
        raise HTTPException(404)
    return product
