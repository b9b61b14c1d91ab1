from collections.abc import AsyncIterator

import pytest

from core.database import Database
from core.resources import Resources, assemble
from core.settings import Settings
from tests.factories.clocks import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def resources(database: Database, clock: FakeClock, settings: Settings) -> AsyncIterator[Resources]:
    """Over each kind of database, with a clock that stands still."""
    opened = assemble(settings, clock, database, {})
    yield opened
    await opened.background.settle()
