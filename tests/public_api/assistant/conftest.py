"""A shop whose assistant is asked on a real port."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import FastAPI

from commerce.catalog.entities import Product
from commerce.catalog.repository import ProductRepository
from tests.factories.people import a_user, signed_in
from tests.fixtures.application import LogEntries
from tests.fixtures.sse import live
from tests.public_api.assistant.asking import Desk, Headers


@pytest.fixture
async def desk(app: FastAPI, log_entries: LogEntries) -> AsyncIterator[Desk]:  # noqa: ARG001  no log on stderr
    async with live(app) as running, httpx2.AsyncClient(base_url=running.address, timeout=30) as client:
        yield Desk(running, client)


@pytest.fixture
async def products(desk: Desk) -> dict[str, Product]:
    """Of the shop, by handle."""
    async with desk.resources.database.read() as session:
        repository = ProductRepository(session)
        ids = await repository.ids_by_handle(["rain-jacket", "wool-cap", "tent", "rain-poncho"])
        return {each.head.handle: each for each in await repository.products(list(ids.values()))}


@pytest.fixture
async def customer(desk: Desk) -> Headers:
    return await signed_in(desk.resources, await a_user(desk.resources))


@pytest.fixture
async def stranger(desk: Desk) -> Headers:
    return await signed_in(desk.resources, await a_user(desk.resources))
