"""A shop with an empty log."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from tests.public_api.event_stream.streaming import Shop, opened


@pytest.fixture(scope="session")
def gateway_template(sqlite_template: Path) -> Path:
    """A log without events."""
    return sqlite_template


@pytest.fixture
async def shop(app: FastAPI) -> AsyncIterator[Shop]:
    async with opened(app) as shop:
        yield shop
