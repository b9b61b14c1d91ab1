"""Pages of shops of 1,000 to 1,000,000 products, and of 1,000,000 order lines: the same page takes as long in each, on
SQLite and on PostgreSQL.

One server after another, nothing cached, one request at a time: medians. A page is flat where the largest shop's takes
at most three times as long as the smallest's, or two milliseconds more. Of what cannot be flat the time is said.
"""

import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import psutil

from benchmarks import big_rows, big_shop
from benchmarks.harness.contenders import portico
from benchmarks.order_export import REQUIRED_MB, watched
from benchmarks.report import Row, at_most
from benchmarks.server import new_key
from commerce.catalog.filters import keyset

_LIST, _ORDERS = "/public/v2/products", "/public/v1/orders"
_FIELDS = "id title category { name } variants { sku price { amount } }"
_QUERY = f"{{ products(first: 20ARGUMENTS) {{ nodes {{ {_FIELDS} }} }} }}"
_ORDERS_QUERY = "{ orders(first: 20ARGUMENTS) { nodes { id state lines { title quantity } total { amount } } } }"
SIZES = {1_000: 2_000, 100_000: 20_000, 1_000_000: 200_000}  # products, and orders of five lines
EXPORTED = 100_000  # the shop whose export is read
ROUNDS = 15
TIMES_SLOWER, MS_SLOWER = 3, 2


@dataclass(frozen=True, slots=True)
class Read:
    """`flat` is asked of it; else its time grows with what it finds."""

    path: str
    given: dict[str, Any]
    flat: bool = True
    query: str = ""
    status: int = httpx.codes.OK


@dataclass(slots=True)
class Found:
    """Of one database: the medians of each read, by the products of the shop."""

    database: str
    reads: dict[str, Read] = field(default_factory=dict)
    medians: dict[str, dict[int, float]] = field(default_factory=dict)

    def rows(self) -> Iterator[Row]:
        for what, medians in self.medians.items():
            smallest, largest = medians[min(medians)], max(medians)
            limit = round(max(smallest * TIMES_SLOWER, smallest + MS_SLOWER), 1)
            for products, median in medians.items():
                named = f"{self.database}, {what}: {products:,} products"
                judged = self.reads[what].flat and products == largest
                yield at_most(named, median, "ms", limit) if judged else Row(named, median, "ms")


def run() -> list[Row]:
    rows = []
    for database in ("SQLite", "PostgreSQL"):
        found, exports = Found(database), list[Row]()
        for products, orders in SIZES.items():
            exports += _measured(found, products, orders)
        rows += [*found.rows(), *exports]
    return rows


def _measured(found: Found, products: int, orders: int) -> list[Row]:
    """Into `found`; returns what the export of this shop has shown."""
    with ExitStack() as stack:
        if found.database == "SQLite":
            folder, url = big_shop.kept(products, orders), None
        else:
            folder = Path(stack.enter_context(TemporaryDirectory()))
            url = stack.enter_context(big_shop.kept_on_postgres(products, orders))
        key = {"Authorization": f"Bearer {new_key(str(folder), 'orders:read', url)}"}
        process, address = stack.enter_context(portico(folder, cached=False, database=url))
        client = stack.enter_context(httpx.Client(base_url=address, timeout=120))
        found.reads = _reads(products)
        for what, read in found.reads.items():
            median = _median(client, read, key if "orders" in read.path + read.query else {})
            found.medians.setdefault(what, {})[products] = median
        print(f"  {found.database}, {products:,} products", file=sys.stderr)
        return [_export(found.database, process, client, products)] if products == EXPORTED else []


def _reads(products: int) -> dict[str, Read]:
    middle = products // 2
    return {
        **{f"list, {what}": Read(_LIST, given) for what, given in _lists(middle).items()},
        "product by id": Read(f"/public/v1/products/{big_rows.new_id('prod', middle)}", {}),
        "product by handle": Read(f"/public/v1/products/product-{middle}", {}),
        "product by the handle that it had": Read(
            f"/public/v1/products/old-product-{middle}", {}, status=httpx.codes.MOVED_PERMANENTLY
        ),
        "GraphQL, list": Read("/graphql", {}, query=_QUERY.replace("ARGUMENTS", "")),
        "GraphQL, list of a tag by price": Read(
            "/graphql", {}, query=_QUERY.replace("ARGUMENTS", ', sort: PRICE, filter: {tag: "tag-7"}')
        ),
        "orders, v1's numbered page with its total": Read(_ORDERS, {}, flat=False),
        "GraphQL, orders": Read("/graphql", {}, query=_ORDERS_QUERY.replace("ARGUMENTS", "")),
        "GraphQL, orders of a state": Read(
            "/graphql", {}, query=_ORDERS_QUERY.replace("ARGUMENTS", ", filter: {state: paid}")
        ),
        "orders, export of one state, its first piece": Read(f"{_ORDERS}/export", {"format": "csv", "state": "paid"}),
        "search, a word of one product": Read(_LIST, {"q": f"{middle}"}),
        "search, a word of one in twelve": Read(_LIST, {"q": "anorak"}, flat=False),
        "v1's numbered page with its total": Read("/public/v1/products", {}, flat=False),
    }


def _lists(middle: int) -> dict[str, dict[str, Any]]:
    """By what they are of: 20 products each."""
    deep = keyset("-created_at").encode(big_rows.product(middle)["created_at"], big_rows.new_id("prod", middle))
    return {
        "newest first": {},
        "by title": {"sort": "title"},
        "dearest first": {"sort": "-price"},
        "by last change": {"sort": "-updated_at"},
        "from the middle": {"after": deep},
        "a category": {"category": "category-7"},
        "a category, cheapest first": {"category": "category-7", "sort": "price"},
        "a vendor by title": {"vendor": "Vendor 7", "sort": "title"},
        "a tag of one in twenty": {"tag": "tag-7"},
        "a tag of one in twenty, by title": {"tag": "tag-7", "sort": "title"},
        "a tag of forty products, cheapest first": {"tag": "drop-3", "sort": "price"},
        "a wide range of prices": {"min_price": 10_000, "max_price": 60_000},
        "above a price, cheapest first": {"min_price": 50_000, "sort": "price"},
        "a range of prices that few have": {"min_price": 50_000, "max_price": 50_001},
        "in stock": {"in_stock": True},
        "sold out, by title": {"in_stock": False, "sort": "title"},
        "a vendor and a tag": {"vendor": "Vendor 7", "tag": "tag-7"},
        "a category below a price": {"category": "category-7", "max_price": 20_000},
    }


def _median(client: httpx.Client, read: Read, headers: dict[str, str]) -> float:
    """Milliseconds to the first piece of the answer. The first answer is not counted: statements are compiled once."""
    taken = []
    for _ in range(ROUNDS + 1):
        started = time.perf_counter()
        with client.stream(
            "POST" if read.query else "GET",
            read.path,
            params=read.given,
            json={"query": read.query} if read.query else None,
            headers={"Accept-Encoding": "identity", **headers},  # compression waits for more
        ) as response:
            first = next(response.iter_bytes(), b"")
            taken.append((time.perf_counter() - started) * 1000)
            assert response.status_code == read.status, first
            assert b'"errors"' not in first, first
    return statistics.median(taken[1:])


def _export(database: str, process: psutil.Process, client: httpx.Client, products: int) -> Row:
    """The second, as in `order_export`."""
    _stream(client, products)
    with watched(process) as memory:
        _stream(client, products)
    what = f"{database}, export of {products:,} products, growth of the server's memory"
    return at_most(what, memory.growth_mb, "MB", REQUIRED_MB)


def _stream(client: httpx.Client, products: int) -> None:
    with client.stream("GET", "/public/v1/products/export?format=jsonl") as response:
        lines = sum(piece.count(b"\n") for piece in response.iter_bytes())
    assert lines == products - products // 50, lines  # one in fifty is a draft
