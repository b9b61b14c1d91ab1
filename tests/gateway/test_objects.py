"""Three servers on one PostgreSQL and one Redis: what costs much is made once, and true after a write."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from pydantic import SecretStr

from commerce.catalog.reading import COUNT_TO
from core.cache.store import Store
from core.resources import Resources, open_resources
from core.settings import DataSettings, ServerSettings, Settings
from gateway.app import create_app
from tests.factories.crowds import crowd
from tests.factories.people import staff
from tests.factories.statements import recorded
from tests.fixtures.application import LogEntries, key_with
from tests.fixtures.asgi import Served, client_of, serve
from tests.fixtures.valkey import ValkeyProcess
from tests.gateway.response_cache.shop import heard

MANY = COUNT_TO + 1
LISTS = ["/public/v2/products?count=true&limit=1", "/public/v1/products?size=1", "/public/v1/products?size=1&page=2"]
QUERY = "{ products(first: 1) { totalCount nodes { id } } }"
NEW = {"title": "Thing", "variants": [{"price": {"amount": 100}}]}


class Server:
    def __init__(self, served: Served, client: httpx2.AsyncClient) -> None:
        self.served = served
        self.client = client
        self.resources: Resources = served.state["resources"]

    async def total(self, path: str = LISTS[0]) -> int:
        answer = await self.client.get(path)
        assert answer.status_code == 200
        return int(answer.json()["total"])

    async def query(self) -> int:
        answer = await self.client.post("/graphql", json={"query": QUERY})
        return int(answer.json()["data"]["products"]["totalCount"])


@asynccontextmanager
async def patient(settings: Settings) -> AsyncIterator[Resources]:
    """As they are, on a machine that is busy."""
    async with Store(settings.data.redis_url, answer_seconds=20) as store, open_resources(settings) as resources:
        resources.cache._store = store
        yield resources


@pytest.fixture
async def servers(
    postgres_database_url: str,
    valkey: ValkeyProcess,
    tmp_path: Path,
    log_entries: LogEntries,  # noqa: ARG001  no log on stderr
) -> AsyncIterator[list[Server]]:
    async with AsyncExitStack() as stack:
        found = []
        for number in range(3):
            data = DataSettings(
                data_dir=tmp_path / str(number), database_url=postgres_database_url, redis_url=valkey.url
            )
            server = ServerSettings(secret_key=SecretStr("k" * 32))
            served = await stack.enter_async_context(
                serve(create_app(Settings(data=data, server=server), open_resources=patient))
            )
            found.append(Server(served, await stack.enter_async_context(client_of(served))))
        await crowd(found[0].resources.database, MANY)
        for each in found:
            await heard(each.served)
        yield found


def counts(statements: list[str], what: str) -> int:
    return sum(bool(re.search(what, each)) and str(COUNT_TO) not in each for each in statements)


async def test_total_is_counted_once_for_all_servers_and_all_doors(servers: list[Server]) -> None:
    with ExitStack() as stack:
        sent = [stack.enter_context(recorded(each.resources.database.reader)) for each in servers]
        totals = [await each.total(path) for each in servers for path in LISTS]
        totals += [await each.query() for each in servers]

    assert totals == [MANY] * 12
    assert sum(counts(each, r"count\(") for each in sent) == 1


async def test_total_is_counted_once_where_all_servers_are_asked_at_once(servers: list[Server]) -> None:
    with ExitStack() as stack:
        sent = [stack.enter_context(recorded(each.resources.database.reader)) for each in servers]
        totals = await asyncio.gather(*(each.total(path) for each in servers for path in LISTS))

    assert totals == [MANY] * 9
    assert sum(counts(each, r"count\(") for each in sent) == 1


async def test_write_is_in_the_next_total_of_its_server_and_soon_in_the_others(servers: list[Server]) -> None:
    writing, other, _ = servers
    key = await key_with(writing.resources, "catalog:write", "catalog:read")
    for each in servers:
        await each.total()

    answer = await writing.client.post("/public/v1/products", json=NEW, headers=key)
    at_once = [await writing.total(), await writing.query()]
    await heard(other.served)

    assert answer.status_code == 201
    assert at_once == [MANY + 1] * 2
    assert [await other.total(), await other.query()] == [MANY + 1] * 2


async def test_metrics_of_all_servers_count_the_catalogue_once(servers: list[Server]) -> None:
    operator = await staff(servers[0].resources)

    with ExitStack() as stack:
        sent = [stack.enter_context(recorded(each.resources.database.reader)) for each in servers]
        told = [await each.client.get("/internal/metrics", headers=operator) for each in servers]

    assert [f'portico_catalog_products{{status="active"}} {MANY}.0' in each.text for each in told] == [True] * 3
    assert sum(counts(each, r"GROUP BY products\.status") for each in sent) == 1


@pytest.mark.parametrize(("how", "undo"), [("kill", "restart"), ("freeze", "thaw")])
async def test_totals_are_true_while_redis_is_away(
    servers: list[Server], valkey: ValkeyProcess, how: str, undo: str
) -> None:
    writing, other, _ = servers
    key = await key_with(writing.resources, "catalog:write", "catalog:read")
    await writing.total()
    for each in servers:
        each.resources.cache._store = Store(valkey.url)

    getattr(valkey, how)()
    before = [await each.total(LISTS[1]) for each in servers]
    answer = await writing.client.post("/public/v1/products", json=NEW, headers=key)
    after = [await writing.total(), await writing.query()]
    await heard(other.served)
    after += [await other.total(), await other.query()]
    getattr(valkey, undo)()

    assert (before, answer.status_code, after) == ([MANY] * 3, 201, [MANY + 1] * 4)
    for each in servers:
        await each.resources.cache._store.__aexit__(None, None, None)
