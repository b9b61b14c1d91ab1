import pytest

from core.database import Database
from core.resources import Resources


@pytest.fixture
def database(resources: Resources) -> Database:
    return resources.database
