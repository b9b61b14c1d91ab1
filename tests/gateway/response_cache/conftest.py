from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import FastAPI

from commerce.operations.entities import EVERYBODY
from core.database import Database
from core.resources import Resources
from core.settings import Settings
from tests.factories.catalogue import Catalogue
from tests.factories.clocks import FakeClock
from tests.factories.shop import CATALOGUE
from tests.fixtures.application import LogEntries
from tests.fixtures.asgi import Served
from tests.fixtures.listening import Listening, listen
from tests.gateway.response_cache.shop import Shop, heard


@pytest.fixture
async def shop(served: Served, client: httpx2.AsyncClient, resources: Resources) -> Shop:
    """Seven products, of which everything has heard, and an empty cache."""
    await served.state["tailer"].looked.wait()
    await served.state["operations"].policy(EVERYBODY)  # its first look is a change, which ends answers
    catalogue = Catalogue(resources.database, FakeClock())
    products = {}
    for data in CATALOGUE:
        products[data.handle] = await catalogue.add(data)
        catalogue.clock.advance(minutes=1)
    await heard(served)
    return Shop(served, client, catalogue, products)


@pytest.fixture
async def sqlite_other(settings: Settings) -> AsyncIterator[Database]:
    """The same file, as another process has it: the server is told nothing of what is written."""
    database = Database(settings.database_url)
    yield database
    await database.close()


@pytest.fixture
async def listening(app: FastAPI, log_entries: LogEntries) -> AsyncIterator[Listening]:  # noqa: ARG001  no log on stderr
    """The same products, on a real socket."""
    async with listen(app) as found:
        await found.state["tailer"].looked.wait()
        catalogue = Catalogue(found.state["resources"].database, FakeClock())
        for data in CATALOGUE:
            await catalogue.add(data)
        await heard(found)
        yield found
