import pytest

from core.resources import Resources
from tests.factories.catalogue import Catalogue
from tests.factories.clocks import FakeClock
from tests.factories.orders import OrderDesk, only_variant
from tests.factories.products import a_variant
from tests.fixtures.application import key_with


@pytest.fixture
async def buyer(resources: Resources) -> dict[str, str]:
    """The headers of a key of the shop's own that may read and write orders."""
    return await key_with(resources, "orders:read", "orders:write")


@pytest.fixture
def catalogue(resources: Resources) -> Catalogue:
    return Catalogue(resources.database, FakeClock())


@pytest.fixture
def desk(resources: Resources) -> OrderDesk:
    """Looks below HTTP."""
    return OrderDesk(resources.database, FakeClock())


@pytest.fixture
async def variant(catalogue: Catalogue) -> str:
    """A jacket of 19.99, of which there are ten."""
    variants = (a_variant(price=1999, stock=10, sku="JKT"),)
    return only_variant(await catalogue.create(handle="jacket", title="Rain Jacket", variants=variants))
