"""Three servers on one PostgreSQL and one Valkey: what one writes the others show at once, and each without Valkey."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx2
import pytest

from commerce.accounts.api_keys import ApiKeyService
from commerce.accounts.commands import CreateKey
from core.clock import SystemClock
from core.database import Database
from tests.factories.catalogue import Catalogue
from tests.factories.clocks import FakeClock
from tests.factories.products import a_product
from tests.fixtures.processes import GUNICORN, StartProcess, a_free_port
from tests.fixtures.valkey import ValkeyProcess

LIST = "/public/v2/products"
# Servers that do not look by themselves, so that only what they are told counts; and servers as they are.
DEAF = """
import runpy
import core.tailer
core.tailer._POLL_SECONDS["postgresql"] = 3600
runpy.run_module("gunicorn", run_name="__main__")
"""
SECRET = "k" * 32
Client = httpx2.AsyncClient


async def a_shop(url: str) -> tuple[str, dict[str, str]]:
    """With one product: its id, and the headers of a key that may change it."""
    database = Database(url)
    product = await Catalogue(database, FakeClock()).add(a_product(handle="cap", title="Cap 0"))
    async with database.write() as session:
        key = await ApiKeyService(session, SystemClock(), actor="test").create(CreateKey("test", ("catalog:write",)))
    await database.close()
    return product.head.id, {"Authorization": f"Bearer {key.secret}"}


@pytest.fixture(params=["told", "looking"])
async def servers(
    request: pytest.FixtureRequest, start: StartProcess, postgres_database_url: str, valkey: ValkeyProcess
) -> AsyncIterator[list[Client]]:
    settings = {
        "PORTICO_DATABASE_URL": postgres_database_url,
        "PORTICO_REDIS_URL": valkey.url,
        "PORTICO_SECRET_KEY": SECRET,
    }
    command = (GUNICORN[0], "-c", DEAF, *GUNICORN[2:]) if request.param == "told" else GUNICORN
    ports = [a_free_port() for _ in range(3)]
    started = [start(*command, "-b", f"127.0.0.1:{port}", "gateway.main:app", **settings) for port in ports]
    for process in started:
        await asyncio.to_thread(process.until, "Application startup complete")
    if request.param == "looking":
        valkey.kill()
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(Client(base_url=f"http://127.0.0.1:{port}", timeout=30)) for port in ports
        ]
    if request.param == "looking":
        valkey.restart()


async def title(client: Client) -> tuple[str, str]:
    answer = await client.get(LIST)
    return answer.json()["items"][0]["title"], answer.headers["cache-status"]


async def kept(client: Client) -> None:
    """Until it gives what it keeps."""
    while "hit" not in (await title(client))[1]:  # noqa: ASYNC110  it tells nobody
        await asyncio.sleep(0.01)


async def test_write_in_one_ends_what_the_others_keep(servers: list[Client], postgres_database_url: str) -> None:
    product, key = await a_shop(postgres_database_url)
    writing, *others = servers
    async with asyncio.timeout(60):
        for number in range(1, 4):
            for client in servers:
                await kept(client)

            changed = await writing.patch(
                f"/public/v1/products/{product}", json={"title": f"Cap {number}"}, headers=key
            )

            assert changed.status_code == 200, changed.text
            assert (await title(writing))[0] == f"Cap {number}"
            for client in others:
                while (await title(client))[0] != f"Cap {number}":  # noqa: ASYNC110  as above
                    await asyncio.sleep(0.01)
