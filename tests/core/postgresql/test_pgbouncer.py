"""Behind PgBouncer in transaction mode, where the next transaction has another server."""

import asyncio
import os
from pathlib import Path

import pytest
from sqlalchemy import String, literal, make_url, select, text

from core.database import Database
from core.direct import compiled
from core.postgresql import Limits
from tests.conftest import needs
from tests.fixtures.processes import StartProcess, a_free_port

SETTINGS = """
[databases]
* = host={host} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 4
{user}
"""


@pytest.fixture
def pooled_url(start: StartProcess, postgres_database_url: str, tmp_path: Path) -> str:
    program = needs("pgbouncer")
    url, port = make_url(postgres_database_url), a_free_port()
    file = tmp_path / "pgbouncer.ini"
    folder = Path(str(url.query["host"]))
    # It refuses to be root's, and the server's own user can reach the server.
    user = f"user = {folder.owner()}" if os.geteuid() == 0 else ""
    file.write_text(SETTINGS.format(host=folder, port=port, user=user))
    pooler = start(program, str(file))
    pooler.until("process up")
    return f"postgresql+asyncpg://postgres@127.0.0.1:{port}/{url.database}"


async def test_every_way_of_reading_and_writing_works_many_times_at_once(pooled_url: str) -> None:
    database = Database(pooled_url, Limits(statement_seconds=5, pooler=True))
    named = compiled(select(literal("one", String())), "postgresql")

    async def work(number: int) -> list[object]:
        async with database.write() as session:
            await session.execute(text("UPDATE event_log_state SET trimmed_to = 0"))
            await session.execute(text("SELECT trimmed_to FROM event_log_state"))
        async with database.read() as reading:
            found = await reading.scalar(text("SELECT CAST(:n AS integer)"), {"n": number})
            again = await reading.scalar(text("SELECT CAST(:n AS integer) + 1"), {"n": number})
        async with database.read_report() as reading:
            rows = await reading.stream(text("SELECT generate_series(1, 3)"))
            counted = len([row async for row in rows])
        return [found, again, counted, (await database.fetch(named, {}))[0][0]]

    results = await asyncio.gather(*(work(number) for number in range(30)))

    assert results == [[number, number + 1, 3, "one"] for number in range(30)]
    await database.close()
