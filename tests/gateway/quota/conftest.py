"""A gateway whose callers have 100 points a minute, of a time that stands still."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import FastAPI

from core import resources as opening
from core.budget import Budget
from core.ratelimit.memory import MemoryLimiter
from core.resources import Resources
from core.settings import Settings
from gateway.app import create_app
from tests.factories.clocks import StillTime
from tests.fixtures.application import new_app
from tests.gateway.quota.asking import POINTS


@pytest.fixture
def time() -> StillTime:
    return StillTime()


@pytest.fixture
def app(settings: Settings, gateway_template: Path, time: StillTime) -> FastAPI:
    new_app(settings, gateway_template)  # brings the database

    @asynccontextmanager
    async def open_resources(settings: Settings) -> AsyncIterator[Resources]:
        async with opening.open_resources(settings) as resources:
            limiter = MemoryLimiter(time)
            yield replace(resources, limiter=limiter, budget=Budget(limiter, POINTS))

    return create_app(settings, open_resources)
