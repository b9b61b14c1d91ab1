"""/healthz asks nothing; /readyz asks everything; reads without a database say so."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import text

from core.resources import Resources
from core.settings import Settings
from tests.fixtures.application import LogEntries
from tests.fixtures.asgi import Served
from tests.fixtures.probes import read_error

BOTH_FINE = [{"name": "database", "ok": True}, {"name": "schema", "ok": True}]


@pytest.fixture
async def database_away(
    resources: Resources,
    settings: Settings,
    operator: dict[str, str],  # noqa: ARG001  signed in before
) -> AsyncIterator[None]:
    """A folder stands where the database file was."""
    await resources.database.close()
    path: Path = settings.data.data_dir / "portico.db"
    for file in path.parent.glob("portico.db*"):
        file.unlink()
    path.mkdir()  # noqa: ASYNC240  at once
    yield
    shutil.rmtree(path)


async def test_gateway_that_has_everything_is_ready(client: httpx2.AsyncClient) -> None:
    response = await client.get("/readyz")

    assert response.status_code == 200
    assert response.json() == {"status": "ready", "checks": BOTH_FINE}
    assert response.headers["cache-control"] == "no-store"


async def test_draining_gateway_is_alive_but_not_ready(served: Served, client: httpx2.AsyncClient) -> None:
    served.state["draining"].set()

    ready = await client.get("/readyz")
    alive = await client.get("/healthz")
    landing = await client.get("/")

    assert (ready.status_code, ready.json()) == (503, {"status": "draining", "checks": BOTH_FINE})
    assert (alive.status_code, alive.json()) == (200, {"status": "ok"})
    assert "not ready" in landing.text


@pytest.mark.usefixtures("database_away")
async def test_gateway_without_its_database_is_alive_but_not_ready(client: httpx2.AsyncClient) -> None:
    ready = await client.get("/readyz")
    alive = await client.get("/healthz")

    assert ready.status_code == 503
    assert ready.json() == {
        "status": "unavailable",
        "checks": [{"name": "database", "ok": False}, {"name": "schema", "ok": False}],
    }
    assert alive.status_code == 200


@pytest.mark.usefixtures("database_away")
async def test_landing_page_shows_that_the_database_is_away(client: httpx2.AsyncClient) -> None:
    response = await client.get("/")

    assert response.status_code == 200
    assert "not ready" in response.text
    assert "<td>away</td>" in response.text
    assert '<tr><th scope="row">Products on sale</th><td>unknown</td></tr>' in response.text


@pytest.mark.usefixtures("database_away")
@pytest.mark.parametrize("path", ["/public/v1/products", "/public/v1/products/rain-jacket", "/public/v1/categories"])
async def test_public_read_without_the_database_is_a_503_problem(
    client: httpx2.AsyncClient, log_entries: LogEntries, path: str
) -> None:
    response = await client.get(path)

    assert response.status_code == 503
    assert read_error("v1", response).code == "database_unavailable"
    assert response.headers["retry-after"] == "2"
    assert response.json()["retryable"] is True
    assert "portico.db" not in response.text
    # Looks in the background may say so too.
    (warning,) = (entry for entry in log_entries.application if not entry["event"].endswith("_waits"))
    assert (warning["level"], warning["event"]) == ("warning", "database_unavailable")
    assert "unable to open database file" in warning["reason"]


@pytest.mark.usefixtures("database_away")
async def test_staff_are_told_what_to_try_while_nobody_can_be_looked_up(
    client: httpx2.AsyncClient, operator: dict[str, str]
) -> None:
    response = await client.get("/internal/health", headers=operator)

    assert response.status_code == 503
    assert read_error("internal", response).code == "database_unavailable"
    assert "portico doctor" in response.json()["error"]["hint"]
    assert "/readyz" in response.json()["error"]["hint"]


@pytest.mark.usefixtures("database_away")
async def test_metrics_go_on_without_the_database(client: httpx2.AsyncClient, metrics_reader: dict[str, str]) -> None:
    await client.get("/public/v1/products")

    metrics = await client.get("/internal/metrics", headers=metrics_reader)

    assert metrics.status_code == 200
    assert 'audience="public",method="GET",route="/public/v1/products",status="503"' in metrics.text
    assert "portico_catalog" not in metrics.text


async def test_schema_that_is_behind_makes_the_gateway_not_ready(
    client: httpx2.AsyncClient, resources: Resources, operator: dict[str, str]
) -> None:
    async with resources.database.write() as session:
        await session.execute(text("DELETE FROM alembic_version"))

    ready = await client.get("/readyz")
    health = (await client.get("/internal/health", headers=operator)).json()

    assert ready.status_code == 503
    assert ready.json() == {
        "status": "unavailable",
        "checks": [{"name": "database", "ok": True}, {"name": "schema", "ok": False}],
    }
    (schema,) = [check for check in health["checks"] if check["name"] == "schema"]
    assert "run `portico db upgrade`" in schema["detail"]


async def test_schema_that_is_newer_than_the_program_leaves_it_ready(
    client: httpx2.AsyncClient, resources: Resources
) -> None:
    async with resources.database.write() as session:
        await session.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    ready = await client.get("/readyz")

    assert (ready.status_code, ready.json()["status"]) == (200, "ready")


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz"])
async def test_probe_answers_head(client: httpx2.AsyncClient, path: str) -> None:
    response = await client.head(path)

    assert response.status_code == 200
    assert response.content == b""
