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
from sqlalchemy import event, make_url
from sqlalchemy.ext.asyncio import AsyncEngine
from strawberry.utils.str_converters import to_camel_case

from benchmarks import big_rows, big_shop
from commerce.catalog.filters import SORT_NAMES
from core.bulk import insert_rows
from core.database import Base, Database
from graphql_api.catalog.listing import ProductSort
from tests.architecture.query_plans import explainer
from tests.architecture.test_authorisation import OPERATIONS, QUERIES
from tests.factories.clocks import NOON
from tests.factories.people import staff
from tests.fixtures.application import LogEntries, settings_over
from tests.graphql_api.both_roads import planned_so_far
from tests.graphql_api.parity_shop import Shop, fill, opened

PRODUCTS, ORDERS = 10_000, 2_000
# Tables that are read whole: they stay small, however large the shop is.
SMALL = {
    "alembic_version": "one row",
    "event_log_state": "one row",
    "job_engine": "one row",
    "webhook_cursor": "one row",
    "semantics_state": "one row",
    "model_versions": "five of each model, and those in use",
    "flags": "as many as there are mounts and routes",
    "categories": "all of them are asked for, in one list",
    "promotions": "as many as there were campaigns",
    "clients": "as many as there are programs that use GraphQL",
    "client_operations": "as many as these were written with",
    "operations": "the same",
}
# What is in a statement that may have a fault, and why it may.
EXCUSED = {
    r"count\(\*\)": "a total, which is as much work as it counts: v1, and who asks for it",
    r"SELECT DISTINCT (anon_1\.|products\.currency)": "the head of a CSV file names every column that any row has",
    r"MATCH|@@": "the best match is known when all are: as much work as there are products that have the words",
    r"(?s)AS tagged.* ORDER BY products\.updated_at": "not copied to each tag: every order would have to change it",
    r"GROUP BY order_lines\.product_id": "of a few products and eight weeks, until the first night trains a forecast",
    r"FROM uses": "forgotten after a time",
    r"FROM jobs": "forgotten after 30 days",
    r"FROM feedback": "counted for operators, and forgotten after 90 days",
    r"FROM receipts": "those of one request id, forgotten after a day",
    r"webhook_endpoints\.state !=": "for the dashboard alone, once for all who watch",
}
ENDLESS = {"GET /internal/dashboard/events": "what `GET /internal/dashboard` reads, again and again"}
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
    settings = settings_over(module_database_url, tmp_path_factory.mktemp("plans"))
    shop = await fill(settings)
    async with opened(settings) as (client, resources):
        await add_messages(resources.database, 1_000)
        await big_shop.fill(resources.database, products=PRODUCTS, orders=ORDERS)
        with recording(resources.database.reader) as recorder:
            await Visitor(client, recorder, shop, await staff(resources)).ask_everything()
    return list(recorder.seen.values())


async def add_messages(database: Database, count: int) -> None:
    """So many that reading all of them is not the best way to a few."""
    said = {"author_id": "usr_1", "author_name": "Ada", "author_is_staff": False, "text": "Hello", "created_at": NOON}
    rows = [
        {"id": f"msg_{number}", "position": 1_000_000 + number, "room": "ada-room", **said} for number in range(count)
    ]
    async with database.write() as session:
        await insert_rows(session, Base.metadata.tables["support_messages"], rows)


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
            if operation.startswith("GET ") and operation not in ENDLESS:
                await self._ask_each(operation)
        for given in _selections(PRODUCT_FILTERS):
            await self._ask_products(given)
        for given in _selections(ORDER_FILTERS):
            for caller in ("ada", "shop key"):
                await self._get("/public/v1/orders", given, caller)
                if len(given) < 2:
                    await self._get("/public/v1/orders/export", given, caller)
        await self._ask_graphql()

    async def _ask_each(self, operation: str) -> None:
        self._recorder.operation = operation
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
        """Each filter in each order, from the beginning and after a cursor; two together in two orders."""
        if len(given) > 1:
            for sort in ("title", "-created_at"):
                await self._get("/public/v2/products", given | {"sort": sort}, "anonymous")
            return
        await self._get("/public/v1/products", given, "anonymous")
        for sort in SORT_NAMES:
            asked = given | {"sort": sort}
            first = await self._get("/public/v2/products", asked | {"limit": "1"}, "anonymous")
            await self._get("/public/v2/products", asked | {"after": first.json()["next"]}, "anonymous")
            await self._get("/public/v2/products", asked, "shop key")

    async def _ask_graphql(self) -> None:
        for sort in ProductSort:
            begun = f"products(sort: {sort.name}"
            cursor = await self._cursor(begun)
            for given in _selections(PRODUCT_FILTERS, most=1):
                await self._ask_connection(begun + _filter(given), cursor, "anonymous", "shop key")
        for given in _selections(PRODUCT_FILTERS, most=1):
            await self._post(f"{{ products(first: 5{_filter(given)}) {{ nodes {{ {PRODUCT} }} }} }}", "anonymous")
        for begun, filters, *callers in (
            ("orders(first: 5", ORDER_FILTERS, "ada", "shop key"),
            ('search(query: "alpine anorak"', {}, "anonymous", "shop key"),
        ):
            cursor = await self._cursor(begun)
            for given in _selections(filters):
                await self._ask_connection(begun + _filter(given), cursor, *callers)
        one = big_rows.new_id("prod", 7)
        for query in (
            f'{{ product(id: "{one}") {{ {PRODUCT} }} }}',
            f'{{ product(handle: "product-7") {{ {PRODUCT} }} }}',
            '{ product(handle: "cup") { id } }',
            f'{{ search(query: "alpine anorak") {{ nodes {{ {PRODUCT} }} }} }}',
            f'{{ nodes(ids: ["{one}", "{big_rows.new_id("var", 7)}", "{self._ids["paid"]}"]) {{ id }} }}',
            "{ categories { name slug } }",
            "{ products(first: 1) { totalCount } }",
        ):
            await self._post(query, *self._callers)
        for query in (
            f'{{ order(id: "{self._ids["paid"]}") {{ {ORDER} }} }}',
            f"{{ orders {{ nodes {{ {ORDER} }} }} }}",
            "{ orders { totalCount } }",
        ):
            await self._post(query, "ada", "shop key")
        for query in (f'{{ recommendations(productId: "{one}") {{ items {{ reason }} }} }}', "{ me { id email } }"):
            await self._post(query, *self._callers, road="executor")

    async def _cursor(self, begun: str) -> str:
        """Of the first of the list."""
        found = await self._post(f"{{ list: {begun}) {{ edges {{ cursor }} }} }}", "shop key")
        return str(found["data"]["list"]["edges"][0]["cursor"])

    async def _ask_connection(self, begun: str, cursor: str, *callers: str) -> None:
        """Its beginning, and what comes after; not the total, which would excuse the whole statement."""
        for after in ("", f', after: "{cursor}"'):
            await self._post(
                f"{{ list: {begun}{after}) {{ edges {{ cursor }} pageInfo {{ hasNextPage }} }} }}", *callers
            )

    async def _get(self, path: str, given: dict[str, str], caller: str) -> httpx2.Response:
        self._recorder.operation = f"GET {path} {given} as {caller}"
        return await self._client.get(path, params=given or None, headers=self._callers[caller])

    async def _post(self, query: str, *callers: str, road: str = "plan") -> Any:
        """What the last of them is told; each answer is made on the road, and without a fault."""
        for caller in callers:
            self._recorder.operation = f"{query} as {caller}"
            before = planned_so_far()
            response = await self._client.post("/graphql", json={"query": query}, headers=self._callers[caller])
            body = response.json()
            assert "errors" not in body, (query, body)
            assert planned_so_far() - before == (road == "plan"), query
        return body


def _selections(of: dict[str, str], most: int = 2) -> Iterator[dict[str, str]]:
    for size in range(most + 1):
        yield from (dict(pairs) for pairs in combinations(of.items(), size))


def _filter(given: dict[str, str]) -> str:
    wanted = ", ".join(f"{to_camel_case(name)}: {_literal(value)}" for name, value in given.items())
    return f", filter: {{{wanted}}}" if wanted else ""


def _literal(value: str) -> str:
    """Enumerations have no quotes."""
    return value if value.isdigit() or value in ("true", "paid") else f'"{value}"'


def excuse(statement: str, faults: list[str]) -> str | None:
    """What excuses all of its faults."""
    read = {fault.removeprefix("reads all ") for fault in faults if fault.startswith("reads all ")}
    if read and read <= SMALL.keys():
        return read.pop()
    return next((found for found in EXCUSED if re.search(found, statement)), None)


async def test_no_statement_reads_a_whole_table_or_sorts_without_bound(
    module_database_url: str, asked: list[Asked]
) -> None:
    with explainer(make_url(module_database_url)) as explained:
        found = [(each, explained.faults(each.statement, each.values)) for each in asked]

    assert [
        (each.operation, faults, each.statement)
        for each, faults in found
        if faults and excuse(each.statement, faults) is None
    ] == []


async def test_few_products_of_a_word_are_not_looked_for_among_all(
    module_database_url: str, asked: list[Asked]
) -> None:
    found = [each for each in asked if re.search(r"MATCH|@@", each.statement)]
    with explainer(make_url(module_database_url)) as explained:
        walking = [(each.operation, each.statement) for each in found if explained.walks_for_words(each.statement)]

    assert len(found) > 50
    assert walking == []
