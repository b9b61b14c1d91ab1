"""What storefront queries cost one process, in its own loop and over a local file: processor time, and statements."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.types import ASGIApp, Receive, Scope, Send

from benchmarks.report import Row
from commerce.catalog.commands import ProductData, VariantData
from commerce.catalog.service import CatalogService
from commerce.schema import migrations
from core.clock import SystemClock
from core.database import Database
from core.settings import DataSettings, ServerSettings, Settings, with_embedded_secrets
from gateway.app import create_app
from tests.factories.statements import recorded

OPERATIONS = 200
QUERIES = {
    "20 products with category and variants": """{ products(first: 20) { nodes {
      id handle title priceRange { min { amount currency } max { amount currency } }
      category { name slug } variants { id sku price { amount currency } available }
    } } }""",
    "20 products, titles alone": "{ products(first: 20) { nodes { id title } } }",
    "100 products with SKUs": "{ products(first: 100) { nodes { id variants { sku } } } }",
    "one product, whole": """{ product(handle: "product-7") {
      id handle title description vendor status version createdAt updatedAt tags category { id name slug }
      priceRange { min { amount currency } max { amount currency } } images { id url alt width height }
      variants { id sku title options { name value } price { amount currency } compareAtPrice { amount currency }
        stock available weightGrams barcode }
    } }""",
}


def run() -> list[Row]:
    logging.disable()
    with TemporaryDirectory() as folder:
        return asyncio.run(_measured(Path(folder)))


async def _measured(folder: Path) -> list[Row]:
    await _fill(folder / "portico.db")
    rows = []
    async with _client(folder) as (client, reader):
        for name, query in QUERIES.items():
            await _ask(client, query)
            with recorded(reader) as statements:
                await _ask(client, query)
            rounds = sorted([await _cpu_ms(client, query) for _ in range(5)])
            rows += [Row(f"{name}, CPU", rounds[2], "ms"), Row(f"{name}, statements", len(statements))]
    return rows


async def _cpu_ms(client: httpx.AsyncClient, query: str) -> float:
    """Of one operation, with its request and all of the process's threads."""
    number = OPERATIONS // 5
    started = time.process_time()
    for _ in range(number):
        await _ask(client, query)
    return (time.process_time() - started) / number * 1000


async def _ask(client: httpx.AsyncClient, query: str) -> None:
    answer = (await client.post("/graphql", json={"query": query})).json()
    assert "errors" not in answer, answer


@asynccontextmanager
async def _client(folder: Path) -> AsyncIterator[tuple[httpx.AsyncClient, AsyncEngine]]:
    app = create_app(
        with_embedded_secrets(Settings(data=DataSettings(data_dir=folder), server=ServerSettings(response_cache_mb=0)))
    )
    async with app.router.lifespan_context(app) as state:
        transport = httpx.ASGITransport(_with_state(app, dict(state or {})))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            yield client, (state or {})["resources"].database.reader


def _with_state(app: ASGIApp, state: dict[str, Any]) -> Any:
    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "state": dict(state)}, receive, send)

    return served


async def _fill(path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{path}")
    await migrations().upgrade(database)
    async with database.write() as session:
        await CatalogService(session, SystemClock()).upsert([_product(number) for number in range(500)])
    await database.close()


def _product(number: int) -> ProductData:
    sizes = ("Small", "Medium", "Large")
    return ProductData(
        handle=f"product-{number}",
        title=f"Product {number}",
        description="<p>" + "Warm, dry and light. " * 50 + "</p>",
        currency="USD",
        category=f"Category {number % 20}",
        options=("Size",),
        tags=("new", "rain"),
        variants=tuple(
            VariantData(price=1000 + number, options={"Size": size}, sku=f"P{number}-{size}", stock=number % 9)
            for size in sizes
        ),
    )
