import pytest

from core.resources import Resources
from tests.factories.people import staff


@pytest.fixture
async def support(resources: Resources) -> dict[str, str]:
    return await staff(resources, "support")
