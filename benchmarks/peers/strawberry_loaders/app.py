"""Strawberry as its documentation shows it: in FastAPI, with SQLAlchemy's ORM and a data loader for each list below."""

import os
from collections import defaultdict
from typing import Any

import strawberry
from fastapi import FastAPI
from shop.models import Category as CategoryRow
from shop.models import Product as ProductRow
from shop.models import Variant as VariantRow
from shop.models import on_sale
from sqlalchemy import select
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from strawberry.dataloader import DataLoader
from strawberry.fastapi import GraphQLRouter

engine = create_async_engine(os.environ["DATABASE_URL"], pool_size=16, max_overflow=0)  # as many as ask at once
sessions = async_sessionmaker(engine, expire_on_commit=False)
Info = strawberry.Info[dict[str, Any], None]


@strawberry.type
class Money:
    amount: int
    currency: str


@strawberry.type
class PriceRange:
    min: Money
    max: Money


@strawberry.type
class Category:
    id: strawberry.ID
    name: str
    slug: str


@strawberry.type
class Variant:
    id: strawberry.ID
    sku: str | None
    price: Money
    available: bool


@strawberry.type
class Product:
    id: strawberry.ID
    handle: str
    title: str
    price_range: PriceRange
    row: strawberry.Private[ProductRow]

    @strawberry.field
    async def category(self, info: Info) -> Category | None:
        return await info.context["categories"].load(self.row.category_id)

    @strawberry.field
    async def variants(self, info: Info) -> list[Variant]:
        found = await info.context["variants"].load(self.row.id)
        return [variant(each, self.row.currency) for each in found]


@strawberry.type
class Products:
    nodes: list[Product]


@strawberry.type
class Query:
    @strawberry.field
    async def products(self, first: int = 20) -> Products:
        async with sessions() as session:
            rows = await session.scalars(on_sale().limit(first))
            return Products(nodes=[product(row) for row in rows])


def product(row: ProductRow) -> Product:
    prices = row.price_range
    return Product(
        id=strawberry.ID(row.id),
        handle=row.handle,
        title=row.title,
        price_range=PriceRange(
            min=Money(amount=prices.min.amount, currency=prices.min.currency),
            max=Money(amount=prices.max.amount, currency=prices.max.currency),
        ),
        row=row,
    )


def variant(row: VariantRow, currency: str) -> Variant:
    return Variant(
        id=strawberry.ID(row.id),
        sku=row.sku,
        price=Money(amount=row.amount, currency=currency),
        available=row.available,
    )


async def load_categories(ids: list[str]) -> list[Category | None]:
    async with sessions() as session:
        rows = await session.scalars(select(CategoryRow).where(CategoryRow.id.in_(ids)))
        found = {row.id: Category(id=strawberry.ID(row.id), name=row.name, slug=row.slug) for row in rows}
    return [found.get(each) for each in ids]


async def load_variants(ids: list[str]) -> list[list[VariantRow]]:
    found = defaultdict(list)
    async with sessions() as session:
        wanted = select(VariantRow).where(VariantRow.product_id.in_(ids)).order_by(VariantRow.position)
        for row in await session.scalars(wanted):
            found[row.product_id].append(row)
    return [found[each] for each in ids]


async def context() -> dict[str, Any]:
    return {"categories": DataLoader(load_categories), "variants": DataLoader(load_variants)}


app = FastAPI()
app.include_router(GraphQLRouter(strawberry.Schema(Query), context_getter=context), prefix="/graphql")
