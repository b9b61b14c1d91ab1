"""The same 20 products from a commerce backend that others build, on the same PostgreSQL, by its own GraphQL."""

import csv
import json
import secrets
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from benchmarks.harness.asking import ask, operation
from benchmarks.harness.catalogue import PRODUCTS, postgres, product
from benchmarks.harness.comparison import Asked, Comparison, Contender, same_json
from benchmarks.harness.contenders import Started, portico
from benchmarks.harness.install import NotInstalled, node_of, run_node
from benchmarks.harness.processes import running
from benchmarks.report import Row, not_measured

CONNECTIONS = 2
NEWEST = 100  # that Vendure has: its importer takes several of them a second
QUERY = """{ products(first: 20) { nodes {
  handle title category { name } variants { sku price { amount currency } available }
} } }"""
# The same in Vendure's words, where a category is one of the values of facets.
THEIR_QUERY = """{ products(options: {take: 20, sort: {id: DESC}}) { items {
  slug name facetValues { name } variants { sku price currencyCode stockLevel }
} } }"""
_COLUMNS = (
    *("name", "slug", "description", "assets", "facets", "optionGroups", "optionValues", "sku", "price"),
    *("taxCategory", "stockOnHand", "trackInventory", "variantAssets", "variantFacets"),
)


def run() -> list[Row]:
    try:
        node, program = node_of("vendure")
        return _compared(node, program)
    except NotInstalled as error:
        return [not_measured("20 products: Portico to Vendure 3", str(error))]


def _compared(node: Path, program: Path) -> list[Row]:
    with TemporaryDirectory() as folder, TemporaryDirectory() as theirs, ExitStack() as stack:
        database, urls = stack.enter_context(postgres("portico", empty="vendure"))
        environment = {"DATABASE_URL": urls[1], "PASSWORD": secrets.token_hex(), "NODE_ENV": "production"}
        file = Path(theirs) / "products.csv"
        write_products(file)
        run_node(node, program, "populate.cjs", str(file), environment=environment)
        ours = stack.enter_context(portico(Path(folder), cached=False, database=urls[0]))
        vendure = stack.enter_context(running([node, program / "server.cjs"], Path(theirs), environment))
        expected = json.loads(ask(ours[1], operation(QUERY)))["data"]
        contenders = [
            _contender("Portico", ours, Asked(operation(QUERY), same_json(expected, _data), 1), database),
            _contender(
                "Vendure 3", vendure, Asked(operation(THEIR_QUERY), same_json(expected, in_our_words), 1), database
            ),
        ]
        comparison = Comparison("20 products", contenders, connections=CONNECTIONS)
        comparison.measure()
        return [*comparison.rows(), comparison.ratio("Portico", "Vendure 3", "CPU")]


def _contender(name: str, started: Started, asked: Asked, database: psutil.Process) -> Contender:
    process, address = started
    return Contender(name, address, [asked], process, [database])


def write_products(path: Path) -> None:
    """The newest, oldest first, as Vendure's importer reads them."""
    with path.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened)
        writer.writerow(_COLUMNS)
        for number in range(PRODUCTS - NEWEST, PRODUCTS):
            each = product(number)
            head = [each.title, each.handle, each.description, "", f"category:{each.category}", "Size"]
            for variant in each.variants:
                price = f"{variant.price / 100:.2f}"
                what = [variant.options["Size"], variant.sku, price, "standard", variant.stock, "true", "", ""]
                writer.writerow([*head, *what])
                head = [""] * len(head)


def _data(answer: Any) -> Any:
    return answer["data"]


def in_our_words(answer: Any) -> Any:
    return {"products": {"nodes": [_product(each) for each in answer["data"]["products"]["items"]]}}


def _product(theirs: Any) -> dict[str, Any]:
    return {
        "handle": theirs["slug"],
        "title": theirs["name"],
        "category": {"name": theirs["facetValues"][0]["name"]},
        "variants": [
            {
                "sku": each["sku"],
                "price": {"amount": each["price"], "currency": each["currencyCode"]},
                "available": each["stockLevel"] != "OUT_OF_STOCK",
            }
            for each in theirs["variants"]
        ],
    }
