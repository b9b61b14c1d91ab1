"""Pages of shops of 1,000 to 1,000,000 products, and of 1,000,000 order lines: the same page takes as long in each.

One server after another, nothing cached, one request at a time: medians. A page is flat where the largest shop's takes
at most three times as long as the smallest's, or two milliseconds more. Of what cannot be flat the time is said.
"""

import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
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
SIZES = {1_000: 2_000, 100_000: 20_000}
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


def run() -> list[Row]:
    medians: dict[str, list[float]] = {}
    rows: list[Row] = []
    flat: dict[str, bool] = {}
    for products, orders in SIZES.items():
        folder = big_shop.kept(products, orders)
        key = {"Authorization": f"Bearer {new_key(str(folder), 'orders:read')}"}
        with portico(folder, cached=False) as (process, address), httpx.Client(base_url=address, timeout=120) as client:
            for what, read in _reads(products).items():
                print(f"  {what}, {products:,} products", file=sys.stderr)
                medians.setdefault(what, []).append(
                    _median(client, read, key if "orders" in read.path + read.query else {})
                )
                flat[what] = read.flat
            if products == EXPORTED:
                rows.append(_export(process, client, products))
    return [row for what, found in medians.items() for row in _told(what, found, flat=flat[what])] + rows


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
            headers=headers,
        ) as response:
            first = next(response.iter_bytes(), b"")
            taken.append((time.perf_counter() - started) * 1000)
            assert response.status_code == read.status, first
            assert b'"errors"' not in first, first
    return statistics.median(taken[1:])


def _told(what: str, medians: list[float], *, flat: bool) -> Iterator[Row]:
    for products, median in zip(SIZES, medians, strict=True):
        limit = max(medians[0] * TIMES_SLOWER, medians[0] + MS_SLOWER)
        named = f"{what}: {products:,} products"
        if flat and products == max(SIZES):
            yield at_most(named, median, "ms", round(limit, 1))
        else:
            yield Row(named, median, "ms")


def _export(process: psutil.Process, client: httpx.Client, products: int) -> Row:
    lines = 0
    with watched(process) as memory, client.stream("GET", "/public/v1/products/export?format=jsonl") as response:
        for piece in response.iter_bytes():
            lines += piece.count(b"\n")
    assert lines == products - products // 50, lines  # one in fifty is a draft
    return at_most(
        f"export of {products:,} products, growth of the server's memory", memory.growth_mb, "MB", REQUIRED_MB
    )
