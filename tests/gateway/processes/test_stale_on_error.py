"""A server whose PostgreSQL is gone: what it kept is given, and says so; what it did not keep is refused."""

import asyncio

import httpx2
import pytest

from commerce.accounts.api_keys import ApiKeyService
from commerce.accounts.commands import CreateKey
from core.clock import SystemClock
from core.database import Database
from tests.factories.catalogue import Catalogue
from tests.factories.clocks import FakeClock
from tests.factories.products import a_product
from tests.fixtures.postgres import PostgresProcess
from tests.fixtures.processes import GUNICORN, PORTICO, StartProcess, a_free_port

KEPT = ["/public/v2/products", "/public/v1/products/cap", "/public/v1/categories"]
NOT_KEPT = ["/public/v2/products?vendor=Nobody", "/public/v1/products/hat"]
CHANGED = "portico; fwd=stale; fwd-status=503; detail=changed"
Client = httpx2.AsyncClient


async def a_shop(url: str) -> tuple[str, dict[str, str]]:
    """With one product: its address, and the headers of a key that may change it."""
    database = Database(url)
    product = await Catalogue(database, FakeClock()).add(a_product(handle="cap", title="Cap", category="Caps"))
    async with database.write() as session:
        key = await ApiKeyService(session, SystemClock(), actor="test").create(
            CreateKey("test", ("catalog:write", "orders:read"))
        )
    await database.close()
    return f"/public/v1/products/{product.head.id}", {"Authorization": f"Bearer {key.secret}"}


@pytest.fixture
async def settings(start: StartProcess, postgres: PostgresProcess) -> dict[str, str]:
    """Of a server over a migrated database."""
    settings = {"PORTICO_DATABASE_URL": postgres.url, "PORTICO_SECRET_KEY": "k" * 32}
    assert await asyncio.to_thread(start(*PORTICO, "db", "upgrade", **settings).wait, 60) == 0
    return settings


async def until(client: Client, path: str, part: str) -> httpx2.Response:
    """Until the answer's Cache-Status has this in it, of which nothing tells."""
    while part not in (answer := await client.get(path)).headers.get("cache-status", ""):  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    return answer


async def test_kept_answers_are_given_while_the_database_is_away(
    start: StartProcess, postgres: PostgresProcess, settings: dict[str, str]
) -> None:
    product, key = await a_shop(postgres.url)
    port = a_free_port()
    server = start(*GUNICORN, "-b", f"127.0.0.1:{port}", "gateway.main:app", **settings)
    await asyncio.to_thread(server.until, "Application startup complete")
    async with Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client, asyncio.timeout(180):
        before = [await until(client, path, "; hit;") for path in KEPT]
        assert (await client.patch(product, json={"title": "Cap of now"}, headers=key)).status_code == 200

        postgres.kill()
        away = [await client.get(path) for path in KEPT]
        refused = [await client.get(path) for path in NOT_KEPT]
        refused += [await client.get("/public/v1/orders", headers=key)]
        refused += [await client.patch(product, json={"title": "Lost"}, headers=key)]
        postgres.restart()
        after = [await until(client, path, "fwd=uri-miss") for path in KEPT]

    assert [answer.status_code for answer in away] == [200] * 3
    assert [answer.headers["cache-status"] for answer in away] == [CHANGED] * 3
    assert [answer.content for answer in away] == [answer.content for answer in before]
    assert all(int(answer.headers["age"]) >= 0 for answer in away)
    assert [answer.status_code for answer in refused] == [503] * 4
    assert [answer.json()["code"] for answer in refused] == ["database_unavailable"] * 4
    assert all(int(answer.headers["retry-after"]) > 0 for answer in refused)
    assert [answer.status_code for answer in after] == [200] * 3
    assert [after[0].json()["items"][0]["title"], after[1].json()["title"]] == ["Cap of now"] * 2
    assert after[2].content == before[2].content
