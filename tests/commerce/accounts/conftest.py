from collections.abc import AsyncIterator

import pytest

from core.database import Database
from core.resources import Resources, assemble
from core.settings import Settings
from tests.factories.clocks import FakeClock
from tests.factories.objects import objects_in_memory


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def resources(database: Database, clock: FakeClock, settings: Settings) -> AsyncIterator[Resources]:
    """Over each kind of database, with a clock that stands still."""
    opened = assemble(settings, clock, database, objects_in_memory(), {})
    yield opened
    await opened.background.settle()
