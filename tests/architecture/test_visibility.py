"""Who sees which products and orders, whatever read they are looked for by: the table's word, on both databases.

These reads have their JSON from the database, so that a forgotten condition is seen by nobody else: there is no object
that could be looked at on its way. Each is asked by everybody, GraphQL's with proof that its plan answered.
"""

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from graphql import GraphQLInterfaceType, GraphQLObjectType, get_named_type
from pydantic import SecretStr
from sqlalchemy import select

from commerce.accounts.principal import ROLES, SCOPES
from commerce.catalog.models import CategoryRow
from commerce.orders.commands import OrderLine, PlaceOrder
from core.database import Database
from core.settings import DataSettings, ServerSettings, Settings
from graphql_api.schema import build_schema
from tests.architecture.test_authorisation import operations_of
from tests.architecture.visibility_table import CALLERS, DELETED, ON_POSTGRESQL, OTHERS, READS, VAULT, WAYS, Read
from tests.factories.catalogue import Catalogue
from tests.factories.clocks import FakeClock
from tests.factories.orders import OrderDesk
from tests.factories.products import a_variant
from tests.fixtures.application import LogEntries, key_with
from tests.graphql_api.both_roads import planned_so_far
from tests.graphql_api.parity_shop import fill, opened

Answer = list[str] | int  # the names that were shown, or the status that was answered instead
STATUSES = {"unauthenticated": 401, "missing_scope": 403}
FRESH = {"Cookie": "a=b"}  # no answer that was made for another


@dataclass(frozen=True, slots=True)
class Shop:
    callers: tuple[str, ...]
    client: httpx2.AsyncClient
    headers: dict[str, dict[str, str]]
    ids: dict[str, str]  # by name

    def names(self, items: list[dict[str, Any]]) -> list[str]:
        known = {each: name for name, each in self.ids.items()}
        return [known[item["id"]] for item in items]


@pytest.fixture(autouse=True)
def quiet(log_entries: LogEntries) -> None:
    """No log on stderr."""


@pytest.fixture(scope="module")
async def shop(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    data = DataSettings(data_dir=tmp_path_factory.mktemp("visibility"), database_url=module_database_url)
    settings = Settings(data=data, server=ServerSettings(secret_key=SecretStr("a secret for tests alone")))
    filled = await fill(settings)
    async with opened(settings) as (client, resources):
        ids = filled.ids | await _add_vault(resources.database)
        ids["guests"] = await _add_guest(resources.database)
        keys = {name: await key_with(resources, name) for name in CALLERS if ":" in name}
        callers = ON_POSTGRESQL if resources.database.dialect == "postgresql" else tuple(CALLERS)
        yield Shop(callers, client, filled.headers | keys, ids)


async def _add_vault(database: Database) -> dict[str, str]:
    """The ids of the products, of their variants, and of all categories by their slugs."""
    catalogue = Catalogue(database, FakeClock())
    ids: dict[str, str] = {}
    alike: dict[str, Any] = {"category": "Vault", "vendor": "Vault", "tags": ("vault",)}
    for handle, status in VAULT.items():
        made = await catalogue.create(
            handle=f"old-{handle}", title="Vault", status=status, variants=(a_variant(price=777, stock=1),), **alike
        )
        await catalogue.update(made, handle=handle)
        ids |= {handle: made.head.id, f"{handle}/variant": made.variants[0].id}
        if handle in DELETED:
            await catalogue.delete(made.head.id)
    async with database.read() as session:
        return ids | {row.slug: row.id for row in await session.execute(select(CategoryRow.slug, CategoryRow.id))}


async def _add_guest(database: Database) -> str:
    desk = OrderDesk(database, FakeClock())
    return (await desk.do(PlaceOrder((OrderLine(1, sku="FREE"), OrderLine(1, sku="MUG")), email="ada@example.com"))).id


def due(read: Read, caller: str) -> Answer:
    """What the table says."""
    sees, shows = CALLERS[caller], frozenset(read.shows.split())
    if read.of == "categories":
        return 401 if sees.products == 401 and read.operation.startswith("query") else sorted(shows)
    if read.of == "orders":
        return sees.orders if isinstance(sees.orders, int) else sorted(sees.orders & shows)
    if isinstance(sees.products, int):
        return sees.products
    seen = sees.products | {f"{product}/variant" for product in sees.products}
    if read.of == "nodes" and not isinstance(sees.orders, int):
        seen |= sees.orders
    return sorted(seen & shows)


async def shown(shop: Shop, read: Read, caller: str) -> Answer:
    headers = shop.headers[caller] | FRESH
    if read.operation.startswith("query"):
        found = await _queries(shop, read, headers)
    elif re.search(r"{(name|handle|old)}", read.asks):
        found = await _each(shop, read, headers)
    else:
        found = await _pages(shop, read, headers)
    return found if isinstance(found, int) else sorted(found)


async def _each(shop: Shop, read: Read, headers: dict[str, str]) -> Answer:
    """One after another, and once more as who has a copy: it is good for those who see the original."""
    found: list[str] = []
    refusals: set[int] = set()
    for name in (*read.shows.split(), *DELETED):
        path = read.asks.format(name=shop.ids[name], handle=name, old=f"old-{name}")
        first = await shop.client.get(path, headers=headers)
        again = await shop.client.get(path, headers=headers | {"If-None-Match": "*"})
        assert again.status_code == (304 if first.status_code == 200 else first.status_code), path
        if first.status_code == 200:
            found += shop.names([first.json()])
        elif first.status_code == 301:
            assert first.headers["location"].endswith(f"/{name}")
            found.append(name)
        elif first.status_code != 404:
            refusals.add(first.status_code)
    assert not (refusals and found)
    return refusals.pop() if refusals else found


async def _pages(shop: Shop, read: Read, headers: dict[str, str]) -> Answer:
    """All pages, and one behind the last where they have numbers: each tells the same total, which is theirs."""
    found: list[str] = []
    totals: set[int] = set()
    page, after = 1, ""
    while True:
        response = await shop.client.get(read.asks.format(page=page, after=after), headers=headers)
        if response.status_code != 200:
            return int(response.status_code)
        body = response.json()
        found += shop.names(body["items"])
        totals.add(body.get("total", len(found)))
        page, after = page + 1, f"&after={body.get('next')}"
        if not (body.get("next") if "page=" not in read.asks else body["items"]):
            assert totals == {len(found)}
            return found


async def _queries(shop: Shop, read: Read, headers: dict[str, str]) -> Answer:
    before, asked = planned_so_far(), 0

    async def ask(query: str) -> dict[str, Any] | int:
        nonlocal asked
        asked += 1
        response = await shop.client.post("/graphql", json={"query": query}, headers=headers)
        if response.status_code != 200:
            return int(response.status_code)
        body = response.json()
        for error in body.get("errors", ()):
            return STATUSES[error["extensions"]["code"]]
        data: dict[str, Any] = body["data"]
        return data

    found = await (_connection(shop, read, ask) if "{after}" in read.asks else _fields(shop, read, ask))
    assert planned_so_far() - before == (0 if isinstance(found, int) else asked)
    return found


async def _fields(shop: Shop, read: Read, ask: Callable[..., Any]) -> Answer:
    """What names one thing is asked for all of them at once, under other names."""
    named = [] if read.of == "categories" else [*read.shows.split(), *DELETED]
    fields = read.asks.replace("{names}", ", ".join(f'"{shop.ids[name]}"' for name in named))
    if fields == read.asks and named:
        fills = [(("{name}", shop.ids[each]), ("{handle}", each), ("{old}", f"old-{each}")) for each in named]
        fields = " ".join(f"a{number}: {_filled(read.asks, fill)}" for number, fill in enumerate(fills))
    data = await ask(f"{{ {fields} }}")
    if isinstance(data, int):
        return data
    values = [each for value in data.values() for each in (value if isinstance(value, list) else [value])]
    return shop.names([value for value in values if value is not None])


def _filled(text: str, values: tuple[tuple[str, str], ...]) -> str:
    for place, value in values:
        text = text.replace(place, value)
    return text


async def _connection(shop: Shop, read: Read, ask: Callable[..., Any]) -> Answer:
    found: list[str] = []
    totals: set[int] = set()
    after = ""
    while True:
        field = read.asks.replace("{after}", after)
        data = await ask(f"{{ list: {field} {{ {read.nodes} totalCount pageInfo {{ hasNextPage endCursor }} }} }}")
        if isinstance(data, int):
            return data
        page = data["list"]
        found += shop.names(page.get("nodes") or [edge["node"] for edge in page.get("edges", ())])
        totals.add(page["totalCount"])
        if not page["pageInfo"]["hasNextPage"]:
            assert totals == {len(found)}
            return found
        after = f', after: "{page["pageInfo"]["endCursor"]}"'


def test_every_read_has_a_row_or_is_said_to_be_another(app: FastAPI) -> None:
    gets = {each for each in operations_of(app) if each.startswith("GET /public/v")}
    query = build_schema(production=False)._schema.query_type
    assert query is not None
    fields = {f"query {name}" for name in query.fields}

    assert {read.operation for read in READS} | OTHERS == gets | fields
    assert not {read.operation for read in READS} & OTHERS


def test_every_way_to_what_is_not_for_all_is_known() -> None:
    """Of what can be reached from a query."""
    schema = build_schema(production=False)._schema
    reached: set[str] = set()
    ways: set[str] = set()
    waiting = ["Query"]
    while waiting:
        name = waiting.pop()
        of = schema.get_type(name)
        if name in reached or not isinstance(of, GraphQLObjectType | GraphQLInterfaceType):
            continue
        reached.add(name)
        for field, value in of.fields.items():
            inner = get_named_type(value.type).name
            waiting.append(inner)
            if inner in ("Product", "Variant", "Order", "Node"):
                ways.add(f"{name}.{field}")

    assert ways == WAYS


def test_every_scope_and_every_role_of_staff_asks() -> None:
    assert {*SCOPES, *ROLES} - {"customer"} <= CALLERS.keys()


@pytest.mark.parametrize("read", READS, ids=lambda read: f"{read.operation} {read.asks} {read.nodes}")
async def test_everybody_is_shown_what_is_for_them(shop: Shop, read: Read) -> None:
    answers = {caller: await shown(shop, read, caller) for caller in shop.callers}

    assert answers == {caller: due(read, caller) for caller in shop.callers}
