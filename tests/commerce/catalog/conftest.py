from collections.abc import AsyncIterator

import pytest

from commerce.catalog.reading import CatalogReader
from commerce.catalog.repository import ProductRepository
from core.database import Database
from tests.factories.catalogue import Catalogue
from tests.factories.clocks import FakeClock
from tests.factories.shop import CATALOGUE, fill


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def catalogue(database: Database, clock: FakeClock) -> Catalogue:
    return Catalogue(database, clock)


@pytest.fixture(scope="module")
async def shop(module_database: Database) -> Database:
    """Shared by a file's tests, which only read it."""
    await fill(module_database, CATALOGUE)
    return module_database


@pytest.fixture
async def products(shop: Database) -> AsyncIterator[ProductRepository]:
    async with shop.read() as session:
        yield ProductRepository(session)


@pytest.fixture
async def reader(shop: Database) -> CatalogReader:
    return CatalogReader(shop)
