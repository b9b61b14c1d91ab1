"""One lifespan, the root's: it opens in order, closes in reverse, and no mounted application has another."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette

from core.clock import SystemClock
from core.database import Database
from core.resources import Opener, Resources, assemble, open_database
from core.settings import DataSettings, Settings, with_embedded_secrets
from gateway.app import create_app
from gateway.mounts import LifespanInMount, mount
from tests.factories.objects import objects_in_memory
from tests.fixtures.asgi import client_of, serve


class Ledger:
    """Resources that note when they open and close; the one named `broken` does not open."""

    def __init__(self, *, broken: str = "") -> None:
        self.notes: list[str] = []
        self._broken = broken

    @asynccontextmanager
    async def resource(self, name: str) -> AsyncIterator[str]:
        if name == self._broken:
            raise ConnectionRefusedError(name)
        self.notes.append(f"open {name}")
        try:
            yield name
        finally:
            self.notes.append(f"close {name}")

    @asynccontextmanager
    async def open_resources(self, settings: Settings) -> AsyncIterator[Resources]:
        async with AsyncExitStack() as stack:
            opener = Opener(stack)
            await opener.open("first", self.resource("first"))
            database: Database = await opener.open("database", open_database(settings))
            await opener.open("second", self.resource("second"))
            await opener.open("third", self.resource("third"))
            yield assemble(settings, SystemClock(), database, objects_in_memory(), opener.timings)


async def test_resources_open_in_order_and_close_in_reverse(settings: Settings) -> None:
    ledger = Ledger()

    async with serve(create_app(settings, ledger.open_resources)) as served:
        assert ledger.notes == ["open first", "open second", "open third"]
        assert list(served.state["resources"].timings) == ["first", "database", "second", "third"]

    assert ledger.notes[3:] == ["close third", "close second", "close first"]


async def test_resource_that_does_not_open_stops_the_start_and_closes_the_earlier_ones(settings: Settings) -> None:
    ledger = Ledger(broken="third")

    with pytest.raises(ConnectionRefusedError, match="third"):
        async with serve(create_app(settings, ledger.open_resources)):
            pytest.fail("it started")

    assert ledger.notes == ["open first", "open second", "close second", "close first"]


async def test_failed_start_leaves_the_data_dir_free(settings: Settings) -> None:
    with pytest.raises(ConnectionRefusedError):
        async with serve(create_app(settings, Ledger(broken="first").open_resources)):
            pytest.fail("it started")

    async with serve(create_app(settings)) as served, client_of(served) as client:
        response = await client.get("/readyz")

    assert response.status_code == 200


async def test_database_that_cannot_be_opened_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "portico.db").mkdir()
    settings = with_embedded_secrets(Settings(data=DataSettings(data_dir=tmp_path)))

    with pytest.raises(Exception, match="Database unavailable"):
        async with serve(create_app(settings)):
            pytest.fail("it started")


async def test_embedded_start_brings_an_empty_database_to_the_newest_schema(settings: Settings) -> None:
    async with serve(create_app(settings)) as served, client_of(served) as client:
        ready = await client.get("/readyz")
        products = await client.get("/public/v1/products")

    assert ready.json()["status"] == "ready"
    assert products.json()["total"] == 0


@asynccontextmanager
async def a_lifespan(_app: object) -> AsyncIterator[None]:
    yield


def with_lifespan() -> FastAPI:
    return FastAPI(lifespan=a_lifespan)


def with_startup_handler() -> FastAPI:
    app = FastAPI()
    app.router.on_startup.append(lambda: None)
    return app


def with_shutdown_handler() -> FastAPI:
    app = FastAPI()
    app.router.on_shutdown.append(lambda: None)
    return app


def with_mounted_lifespan() -> FastAPI:
    app = FastAPI()
    app.mount("/inner", with_lifespan())
    return app


def with_deeply_mounted_lifespan() -> FastAPI:
    app = FastAPI()
    app.mount("/inner", with_mounted_lifespan())
    return app


def with_included_lifespan() -> FastAPI:
    app = FastAPI()
    router = APIRouter(lifespan=a_lifespan)
    app.include_router(APIRouter())
    app.include_router(router, prefix="/inner")
    app.include_router(APIRouter())
    return app


def with_included_startup_handler() -> FastAPI:
    app = FastAPI()
    router = APIRouter()
    router.on_startup.append(lambda: None)
    app.include_router(router, prefix="/inner")
    return app


def with_starlette_lifespan() -> FastAPI:
    app = FastAPI()
    app.mount("/inner", Starlette(lifespan=a_lifespan))
    return app


LIFESPANS = (
    with_lifespan,
    with_startup_handler,
    with_shutdown_handler,
    with_mounted_lifespan,
    with_deeply_mounted_lifespan,
    with_included_lifespan,
    with_included_startup_handler,
    with_starlette_lifespan,
)


@pytest.mark.parametrize("build", LIFESPANS, ids=lambda build: build.__name__)
def test_mounted_application_with_a_lifespan_is_refused(build: Callable[[], FastAPI]) -> None:
    root = FastAPI()
    before = list(root.router.routes)

    with pytest.raises(LifespanInMount, match="never runs"):
        mount(root, "inner", build())

    assert root.router.routes == before


def test_mounted_starlette_application_with_a_lifespan_is_refused() -> None:
    with pytest.raises(LifespanInMount, match="never runs"):
        mount(FastAPI(), "inner", Starlette(lifespan=a_lifespan))


def test_mounted_application_without_a_lifespan_is_taken() -> None:
    root = FastAPI()
    app = FastAPI()
    app.include_router(APIRouter(), prefix="/a")
    app.include_router(APIRouter(), prefix="/b")
    app.mount("/inner", FastAPI())

    mount(root, "inner", app)

    assert root.router.routes[-1].name == "inner"  # type: ignore[attr-defined]
