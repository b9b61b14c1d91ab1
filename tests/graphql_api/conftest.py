"""A filled catalogue for the whole folder, and a client that asks GraphQL."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import httpx2
import pytest

from commerce.catalog.service import CatalogService
from core.database import Database
from core.resources import Resources
from tests.factories.clocks import FakeClock
from tests.factories.people import a_user, signed_in
from tests.factories.products import a_product, a_variant, an_image
from tests.graphql_api.asking import Ask, without_cost
from tests.graphql_api.products import a_backordered, a_jacket, the_costliest


def _catalogue() -> list[Any]:
    """50 alike, one of each oddity, and two that are not on sale."""
    images = (an_image(alt="front", width=800, height=600), an_image(url="https://images.example.com/b.jpg"))
    alike = [
        a_jacket(number, titles=7, categories=5, handle=f"jacket-{number:02}", images=images) for number in range(50)
    ]
    rich = a_product(
        handle="atlas-coat",
        title="Átlas Coat",
        description="<p>Gold</p>",
        vendor="Crème & Co",
        category="Coats",
        tags=("gold", "new"),
        images=(an_image(alt="Gold coat"),),
        options=("Size", "Colour"),
        variants=(
            the_costliest({"Size": "S", "Colour": "Gold"}),
            a_backordered({"Size": "M", "Colour": "Gold"}),
        ),
    )
    plain = a_product(handle="plain", title="Plain", variants=(a_variant(price=1),))
    hidden = [a_product(handle=status, title=status, status=status) for status in ("draft", "archived")]
    return [*alike, rich, plain, *hidden]


@pytest.fixture(scope="session")
def gateway_template(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("graphql") / "filled.db"
    shutil.copyfile(sqlite_template, path)

    async def fill() -> None:
        database, clock = Database(f"sqlite+aiosqlite:///{path}"), FakeClock()
        for product in _catalogue():
            async with database.write() as session:
                await CatalogService(session, clock).create(product)
            clock.advance(seconds=0.5)
        await database.close()

    asyncio.run(fill())
    return path


@pytest.fixture
def ask(client: httpx2.AsyncClient) -> Ask:
    async def ask(query: str, variables: dict[str, Any] | None = None, **headers: str) -> dict[str, Any]:
        response = await client.post("/graphql", json={"query": query, "variables": variables}, headers=headers)
        assert response.status_code == 200, response.text
        return without_cost(response.json())

    return ask


@pytest.fixture
async def customer(resources: Resources) -> dict[str, str]:
    return await signed_in(resources, await a_user(resources))


@pytest.fixture
async def stranger(resources: Resources) -> dict[str, str]:
    return await signed_in(resources, await a_user(resources))


@pytest.fixture
async def admin(resources: Resources) -> dict[str, str]:
    return await signed_in(resources, await a_user(resources, "admin"))
