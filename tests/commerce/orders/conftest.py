import pytest

from core.database import Database
from tests.factories.catalogue import Catalogue
from tests.factories.clocks import FakeClock
from tests.factories.orders import OrderDesk


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def catalogue(database: Database, clock: FakeClock) -> Catalogue:
    return Catalogue(database, clock)


@pytest.fixture
def desk(database: Database, clock: FakeClock) -> OrderDesk:
    return OrderDesk(database, clock)
