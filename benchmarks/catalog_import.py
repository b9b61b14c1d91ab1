"""`portico products` as a whole, as a person starts it: products of two variants and of five in, in again, and out.

Beside it, sqlite3 alone with the same rows in a database of the same schema: the least that can be had.
"""

import asyncio
import os
import re
import resource
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.products_file import SIZES, write_products
from benchmarks.report import Row, at_least, at_most
from commerce.catalog.transfer.importer import BATCH
from commerce.schema import migrations
from core.database import Database

PRODUCTS = 20_000
REQUIRED_PER_SECOND = 5_000  # of two variants
REQUIRED_MB = 200
# In the order of writing, with what names the product.
_TABLES = {
    "products": "id",
    "variants": "product_id",
    "product_images": "product_id",
    "product_tags": "product_id",
    "product_documents": "product_id",
    "events": "subject",
}
_Batch = dict[str, list[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Timed:
    seconds: float
    cpu_seconds: float
    peak_mb: float
    output: str


# The kernel's own count for a process that has ended begins with the memory of the one that started it.
_COMMAND = """
import atexit, pathlib, sys
atexit.register(lambda: sys.stderr.write(pathlib.Path("/proc/self/status").read_text()))
from gateway.cli import main
main()
"""
_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)


def run() -> list[Row]:
    return [*_of_five_variants(), *_of_two_variants()]


def _of_two_variants() -> list[Row]:
    with TemporaryDirectory() as folder:
        empty, file = Path(folder) / "empty.csv", Path(folder) / "products.csv"
        write_products(empty, 0)
        write_products(file, PRODUCTS, SIZES[:2])
        _portico(folder, "import", str(empty))  # makes the database
        start = _portico(folder, "import", str(empty))
        first = _portico(folder, "import", str(file))
        assert first.output == f"created {PRODUCTS} updated 0 unchanged 0 failed 0", first.output
        raw = _raw_seconds(Path(folder) / "var" / "portico.db", Path(folder) / "raw.db")
    seconds = first.seconds - start.seconds
    return [
        at_least("two variants, without the start", PRODUCTS / seconds, "products/s", REQUIRED_PER_SECOND),
        Row("two variants, CPU", (first.cpu_seconds - start.cpu_seconds) / PRODUCTS * 1e6, "us a product"),
        Row("two variants, sqlite3 alone with the same rows", PRODUCTS / raw, "products/s"),
        Row("the start, with an empty file", start.seconds, "s"),
    ]


def _of_five_variants() -> list[Row]:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "products.csv"
        write_products(file, PRODUCTS)
        first = _portico(folder, "import", str(file))
        assert first.output == f"created {PRODUCTS} updated 0 unchanged 0 failed 0", first.output
        again = _portico(folder, "import", str(file))
        assert again.output == f"created 0 updated 0 unchanged {PRODUCTS} failed 0", again.output
        csv_out = _portico(folder, "export", str(Path(folder) / "out.csv"))
        json_out = _portico(folder, "export", str(Path(folder) / "out.jsonl"))
    commands = {"first import": first, "second import": again, "export as csv": csv_out, "export as jsonl": json_out}
    return [
        row
        for what, timed in commands.items()
        for row in (
            Row(f"five variants, {what}, whole command", PRODUCTS / timed.seconds, "products/s"),
            at_most(f"five variants, {what}, peak memory", timed.peak_mb, "MB", REQUIRED_MB),
        )
    ]


def _portico(folder: str, *arguments: str) -> Timed:
    """Runs the command, which tells its own peak of memory when it ends."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PORTICO_")}
    environment["PORTICO_DATA_DIR"] = str(Path(folder) / "var")
    command = [sys.executable, "-c", _COMMAND, "products", *arguments]
    cpu_before, started = _cpu_of_children(), time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    seconds, cpu_seconds = time.perf_counter() - started, _cpu_of_children() - cpu_before
    assert done.returncode == 0, f"{arguments} ended with {done.returncode}: {done.stderr}"
    peak = _PEAK.search(done.stderr)
    assert peak is not None, done.stderr
    return Timed(seconds, cpu_seconds, int(peak[1]) * 1024 / 1e6, done.stdout.strip())


def _cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _raw_seconds(source: Path, target: Path) -> float:
    """What it takes to write the rows again, with the same commits and settings."""
    asyncio.run(_schema(target))
    with closing(sqlite3.connect(source)) as connection:
        categories = connection.execute("SELECT * FROM categories").fetchall()
        batches = list(_batches(connection))
    with closing(sqlite3.connect(target, isolation_level=None)) as connection:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-16000"):
            connection.execute(f"PRAGMA {pragma}")
        _insert(connection, {"categories": categories})
        started = time.perf_counter()
        for batch in batches:
            _insert(connection, batch)
        seconds = time.perf_counter() - started
        assert connection.execute("SELECT count(*) FROM products").fetchone() == (PRODUCTS,)
    return seconds


async def _schema(path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{path}")
    await migrations().upgrade(database)
    await database.close()


def _batches(connection: sqlite3.Connection) -> Iterator[_Batch]:
    """The rows of as many products as an import writes in one transaction."""
    ids = [row[0] for row in connection.execute("SELECT id FROM products ORDER BY id")]
    for start in range(0, len(ids), BATCH):
        some = ids[start : start + BATCH]
        marks = ",".join("?" * len(some))
        yield {
            table: connection.execute(f"SELECT * FROM {table} WHERE {key} IN ({marks}) ORDER BY rowid", some).fetchall()  # noqa: S608
            for table, key in _TABLES.items()
        }


def _insert(connection: sqlite3.Connection, batch: _Batch) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for table, rows in batch.items():
        marks = ",".join("?" * len(rows[0]))
        connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608
    connection.execute("COMMIT")
