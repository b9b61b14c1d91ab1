"""Twenty products with category and variants by GraphQL, of which nothing is kept but the plan, beside Strawberry with
loaders on the same file, and PostGraphile on the same PostgreSQL. What counts is processor time, the database's too.
"""

import json
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from benchmarks.harness.asking import ask, operation
from benchmarks.harness.catalogue import fill_sqlite, postgres
from benchmarks.harness.comparison import Asked, Comparison, Contender, same_json
from benchmarks.harness.contenders import Started, peer, portico
from benchmarks.harness.install import NotInstalled, node_of
from benchmarks.harness.processes import running
from benchmarks.report import Row, not_measured

CONNECTIONS = 16
REQUIRED_OF_STRAWBERRY = 15
REQUIRED_OF_POSTGRAPHILE = 3
# The same in PostGraphile's words, and with the columns that ours computes from.
THEIR_QUERY = """{
  allProducts(first: 20, condition: {status: "active"}, orderBy: [CREATED_AT_DESC, ROW_ID_DESC]) { nodes {
  rowId handle title currency priceMin priceMax categoryByCategoryId { rowId name slug }
  variantsByProductId(orderBy: POSITION_ASC) { nodes { rowId sku price stock inventoryPolicy } }
} } }"""


def run() -> list[Row]:
    return [*_on_sqlite(), *_on_postgres()]


def _on_sqlite() -> list[Row]:
    with TemporaryDirectory() as folder, TemporaryDirectory() as theirs, ExitStack() as stack:
        file = fill_sqlite(Path(folder))
        copy = Path(theirs) / file.name
        copy.write_bytes(file.read_bytes())
        ours = stack.enter_context(portico(Path(folder), cached=False))
        strawberry = stack.enter_context(peer("strawberry_loaders", {"DATABASE_URL": f"sqlite+aiosqlite:///{copy}"}))
        asked = Asked(operation(), same_json(_expected(ours), _data), 1)
        contenders = [_contender("Portico", ours, asked), _contender("Strawberry with loaders", strawberry, asked)]
        comparison = Comparison("GraphQL on SQLite", contenders, connections=CONNECTIONS)
        comparison.measure()
        ratio = comparison.ratio("Portico", "Strawberry with loaders", "CPU", REQUIRED_OF_STRAWBERRY)
        return [*comparison.rows(), ratio]


def _on_postgres() -> list[Row]:
    what = "GraphQL on PostgreSQL"
    try:
        node, program = node_of("postgraphile")
    except NotInstalled as error:
        return [not_measured(f"{what}: Portico to PostGraphile 5", str(error), f"at least {REQUIRED_OF_POSTGRAPHILE}")]
    with TemporaryDirectory() as folder, TemporaryDirectory() as theirs, ExitStack() as stack:
        database, urls = stack.enter_context(postgres("portico", "postgraphile"))
        ours = stack.enter_context(portico(Path(folder), cached=False, database=urls[0]))
        environment = {"DATABASE_URL": urls[1], "NODE_ENV": "production", "GRAPHILE_ENV": "production"}
        postgraphile = stack.enter_context(running([node, program / "server.mjs"], Path(theirs), environment))
        expected = _expected(ours)
        contenders = [
            _contender("Portico", ours, Asked(operation(), same_json(expected, _data), 1), database),
            _contender(
                "PostGraphile 5",
                postgraphile,
                Asked(operation(THEIR_QUERY), same_json(expected, in_our_words), 1),
                database,
            ),
        ]
        comparison = Comparison(what, contenders, connections=CONNECTIONS)
        comparison.measure()
        return [*comparison.rows(), comparison.ratio("Portico", "PostGraphile 5", "CPU", REQUIRED_OF_POSTGRAPHILE)]


def _contender(name: str, started: Started, asked: Asked, *database: psutil.Process) -> Contender:
    process, address = started
    return Contender(name, address, [asked], process, database)


def _expected(ours: Started) -> Any:
    return json.loads(ask(ours[1], operation()))["data"]


def _data(answer: Any) -> Any:
    return answer["data"]


def in_our_words(answer: Any) -> Any:
    return {"products": {"nodes": [_product(each) for each in answer["data"]["allProducts"]["nodes"]]}}


def _product(theirs: Any) -> dict[str, Any]:
    currency, category = theirs["currency"], theirs["categoryByCategoryId"]
    return {
        "id": theirs["rowId"],
        "handle": theirs["handle"],
        "title": theirs["title"],
        "priceRange": {"min": _money(theirs["priceMin"], currency), "max": _money(theirs["priceMax"], currency)},
        "category": {"id": category["rowId"], "name": category["name"], "slug": category["slug"]},
        "variants": [_variant(each, currency) for each in theirs["variantsByProductId"]["nodes"]],
    }


def _variant(theirs: Any, currency: str) -> dict[str, Any]:
    stock = theirs["stock"]
    return {
        "id": theirs["rowId"],
        "sku": theirs["sku"],
        "price": _money(theirs["price"], currency),
        "available": stock is None or stock > 0 or theirs["inventoryPolicy"] == "continue",
    }


def _money(amount: str, currency: str) -> dict[str, Any]:
    return {"amount": int(amount), "currency": currency}
