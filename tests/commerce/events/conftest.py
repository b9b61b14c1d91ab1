from collections.abc import AsyncIterator

import pytest

from core.database import Database
from tests.commerce.events.feeds import Shop, opened


@pytest.fixture
async def shop(database: Database, database_url: str) -> AsyncIterator[Shop]:
    async with opened(database, database_url) as shop:
        yield shop
