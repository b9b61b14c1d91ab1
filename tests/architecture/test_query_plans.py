"""No read without an index: what each operation asks of the database, explained by the database, on 10,000 products.

All reading operations of all doors are asked, as whoever sees most and as a customer; lists with each filter, and pairs
of them, in each order. A statement that reads a whole table or sorts what has no bound fails, unless it is named here
with its reason.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr
from sqlalchemy import event, make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks import big_rows, big_shop
from commerce.catalog.filters import SORT_NAMES
from core.settings import DataSettings, ServerSettings, Settings
from tests.architecture.query_plans import faults_on_postgresql, faults_on_sqlite
from tests.architecture.test_authorisation import OPERATIONS, QUERIES
from tests.factories.people import staff
from tests.fixtures.application import LogEntries
from tests.graphql_api.parity_shop import Shop, fill, opened

PRODUCTS, ORDERS = 10_000, 2_000
# What a statement with a fault has in it, and why it may have one.
EXCUSED: dict[str, str] = {}
PRODUCT_FILTERS: dict[str, str] = {
    "q": "anorak",
    "category": "Category 7",
    "vendor": "Vendor 7",
    "tag": "tag-7",
    "min_price": "5000",
    "max_price": "9000",
    "in_stock": "true",
}
ORDER_FILTERS = {
    "state": "paid",
    "email": "customer-7@example.com",
    "placed_after": "2024-01-01T12:00:00Z",
    "placed_before": "2024-01-02T12:00:00Z",
}
PRODUCT = "id handle title category { name } tags variants { sku price { amount } } images { url }"
ORDER = "id state lines { title quantity } payments { id } shipments { id } total { amount }"


@dataclass(frozen=True, slots=True)
class Asked:
    """A statement, how many values it takes, and the operation that first sent it."""

    statement: str
    values: int
    operation: str


class Recorder:
    """Every statement that an engine sends, once, with what was asked when it was first sent."""

    def __init__(self) -> None:
        self.seen: dict[str, Asked] = {}
        self.operation = ""

    def note(self, _connection: Any, _cursor: Any, statement: str, values: Sequence[Any], *_rest: Any) -> None:
        if statement.startswith(("SELECT", "WITH")):
            self.seen.setdefault(statement, Asked(statement, len(values), self.operation))


@contextmanager
def recording(engine: AsyncEngine) -> Iterator[Recorder]:
    recorder = Recorder()
    event.listen(engine.sync_engine, "before_cursor_execute", recorder.note)
    try:
        yield recorder
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", recorder.note)


@pytest.fixture(autouse=True)
def quiet(log_entries: LogEntries) -> None:
    """No log on stderr."""


@pytest.fixture(scope="module")
async def asked(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> list[Asked]:
    data = DataSettings(data_dir=tmp_path_factory.mktemp("plans"), database_url=module_database_url)
    settings = Settings(data=data, server=ServerSettings(secret_key=SecretStr("a secret for tests alone")))
    shop = await fill(settings)
    async with opened(settings) as (client, resources):
        await big_shop.fill(resources.database, products=PRODUCTS, orders=ORDERS)
        with recording(resources.database.reader) as recorder:
            await Visitor(client, recorder, shop, await staff(resources)).ask_everything()
    return list(recorder.seen.values())


class Visitor:
    """Asks each operation."""

    def __init__(self, client: httpx2.AsyncClient, recorder: Recorder, shop: Shop, operator: dict[str, str]) -> None:
        self._client = client
        self._recorder = recorder
        self._callers = {name: shop.headers[name] for name in ("anonymous", "ada", "shop key")}
        self._operator = operator
        self._ids = shop.ids

    async def ask_everything(self) -> None:
        for operation in OPERATIONS:
            if operation.startswith("GET "):
                await self._ask_each(operation)
        for given in _selections(PRODUCT_FILTERS):
            await self._ask_products(given)
        for given in _selections(ORDER_FILTERS):
            for caller in ("ada", "shop key"):
                await self._get("/public/v1/orders", given, caller)
                await self._get("/public/v1/orders/export", given, caller)
        await self._ask_graphql()

    async def _ask_each(self, operation: str) -> None:
        path = re.sub(r"\{(\w+)\}", self._id, operation.removeprefix("GET ")) + QUERIES.get(operation, "")
        if path.startswith("/internal"):
            await self._client.get(path, headers=self._operator)
            return
        for caller in self._callers:
            await self._get(path, {}, caller)

    def _id(self, parameter: re.Match[str]) -> str:
        known = {"id_or_handle": "product-7", "order_id": self._ids["paid"], "room": "ada-room"}
        return known.get(parameter[1], f"{parameter[1].removesuffix('_id')}_nothing")

    async def _ask_products(self, given: dict[str, str]) -> None:
        callers = ("anonymous", "shop key") if len(given) < 2 else ("anonymous",)
        for sort in SORT_NAMES:
            for caller in callers:
                first = await self._get("/public/v2/products", given | {"sort": sort, "limit": "1"}, caller)
                if len(given) < 2:
                    after = {"after": first.json()["next"]} if first.json()["next"] else {}
                    await self._get("/public/v2/products", given | {"sort": sort, **after}, caller)
                    await self._get("/public/v1/products", given | {"sort": sort}, caller)
        await self._get("/public/v1/products", given, "anonymous")

    async def _ask_graphql(self) -> None:
        for given in _selections(PRODUCT_FILTERS, most=1):
            wanted = ", ".join(f"{_camel(name)}: {_literal(value)}" for name, value in given.items() if name != "q")
            for sort in ("TITLE_ASC", "CREATED_AT_DESC"):
                arguments = f"(first: 5, sort: {sort}{f', filter: {{{wanted}}}' if wanted else ''})"
                await self._post(f"{{ products{arguments} {{ nodes {{ {PRODUCT} }} pageInfo {{ endCursor }} }} }}")
        one = big_rows.new_id("prod", 7)
        for query in (
            f'{{ product(id: "{one}") {{ {PRODUCT} }} }}',
            f'{{ product(handle: "product-7") {{ {PRODUCT} }} }}',
            '{ product(handle: "cup") { id } }',
            f'{{ search(query: "alpine anorak") {{ nodes {{ {PRODUCT} }} }} }}',
            f'{{ nodes(ids: ["{one}", "{big_rows.new_id("var", 7)}"]) {{ id }} }}',
            f'{{ recommendations(productId: "{one}") {{ products {{ id }} }} }}',
            "{ categories { name slug } }",
            "{ me { id email } }",
            f'{{ order(id: "{self._ids["paid"]}") {{ {ORDER} }} }}',
            f"{{ orders(filter: {{state: paid}}) {{ nodes {{ {ORDER} }} totalCount }} }}",
        ):
            await self._post(query)

    async def _get(self, path: str, given: dict[str, str], caller: str) -> httpx2.Response:
        self._recorder.operation = f"GET {path} {given} as {caller}"
        return await self._client.get(path, params=given or None, headers=self._callers[caller])

    async def _post(self, query: str) -> None:
        for caller, headers in self._callers.items():
            self._recorder.operation = f"{query} as {caller}"
            await self._client.post("/graphql", json={"query": query}, headers=headers)


def _selections(of: dict[str, str], most: int = 2) -> Iterator[dict[str, str]]:
    for size in range(most + 1):
        yield from (dict(pairs) for pairs in combinations(of.items(), size))


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.title, rest))


def _literal(value: str) -> str:
    return value if value.isdigit() or value == "true" else f'"{value}"'


def faults_of(url: str, asked: Asked) -> list[str]:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return faults_on_sqlite(parsed.database or "", asked.statement, asked.values)
    return faults_on_postgresql(parsed, asked.statement)


async def test_no_statement_reads_a_whole_table_or_sorts_without_bound(
    module_database_url: str, asked: list[Asked]
) -> None:
    import json

    json.dump(
        [[e.operation, e.statement, faults_of(module_database_url, e)] for e in asked],
        open("/tmp/sp-scale-data/plans-%s.json" % module_database_url[:4], "w"),
    )
    found = {each: faults for each in asked if (faults := faults_of(module_database_url, each))}

    assert {
        each.operation: (faults, each.statement)
        for each, faults in found.items()
        if not any(excused in each.statement for excused in EXCUSED)
    } == {}
