import asyncio
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from dbos._schemas.system_database import SystemSchema
from sqlalchemy import Connection, text

import commerce.schema
from commerce.schema import METADATA, migrations
from core.clock import SystemClock
from core.database import Database, DatabaseUnavailable
from core.jobs.jobs import Jobs, engine_versions, is_behind
from core.jobs.models import JobEngineRow


def ours(_object: Any, name: str | None, kind: str, _reflected: bool, _other: Any) -> bool:
    """Not what a migration adds for the full-text search of one database alone, nor DBOS's tables."""
    words = {("column", "words"), ("index", "ix_product_documents_words")}
    theirs = {table.name for table in SystemSchema.metadata_obj.tables.values()} | {"dbos_migrations"}
    search = (name or "").startswith("product_fts")
    return not (kind == "table" and (search or name in theirs)) and (kind, name) not in words


def differences(connection: Connection) -> list[Any]:
    context = MigrationContext.configure(connection, opts={"include_object": ours, "compare_type": True})
    return list(compare_metadata(context, METADATA))


async def test_models_and_migrations_agree(database: Database) -> None:
    async with database.writer.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_difference_would_be_seen(database: Database) -> None:
    async with database.writer.connect() as connection:
        await connection.execute(text("ALTER TABLE categories ADD COLUMN forgotten TEXT"))

        assert [each[0] for each in await connection.run_sync(differences)] == ["remove_column"]


async def test_second_upgrade_does_nothing(empty_database: Database) -> None:
    assert await migrations().current(empty_database) is None

    first = await migrations().upgrade(empty_database)
    second = await migrations().upgrade(empty_database)

    assert (first, second) == (True, False)
    assert await migrations().current(empty_database) == migrations().head()


async def test_schema_of_a_newer_program_is_left_as_it_is(database: Database) -> None:
    async with database.write() as session:
        await session.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    assert not await migrations().upgrade(database)
    assert await migrations().current(database) == "9999"


@pytest.mark.parametrize(
    ("present", "behind"),
    [(None, True), ("3.4.0", False), ("3.3.9", True), ("3.4.1", False), ("3.10.0", False), ("2.99.0", True)],
)
def test_tables_of_jobs_are_behind_where_they_are_older(present: str | None, behind: bool) -> None:
    assert is_behind(present, "3.4.0") is behind


async def test_tables_of_jobs_of_a_newer_program_are_left_as_they_are(database: Database) -> None:
    async with database.write() as session:
        await session.merge(JobEngineRow(id=1, version="999.0"))

    jobs = Jobs(database, SystemClock())
    await jobs.prepare()
    await jobs.close()

    assert (await engine_versions(database))[0] == "999.0"


def test_files_of_revisions_are_named_in_the_order_that_alembic_finds() -> None:
    folder = Path(commerce.schema.__file__).parent / "migrations"
    scripts = ScriptDirectory(str(folder))

    revisions = [script.revision for script in scripts.walk_revisions()]

    assert revisions == sorted((file.name[:4] for file in (folder / "versions").glob("*.py")), reverse=True)
    assert migrations().head() == scripts.get_current_head() == revisions[0]


async def test_two_upgrades_at_once_both_succeed(empty_database: Database, empty_database_url: str) -> None:
    others = [Database(empty_database_url) for _ in range(3)]

    await asyncio.gather(*(migrations().upgrade(each) for each in [empty_database, *others]))

    assert await migrations().current(empty_database) == migrations().head()
    async with empty_database.read() as session:
        assert await session.scalar(text("SELECT count(*) FROM alembic_version")) == 1
    for each in others:
        await each.close()


async def test_upgrade_of_an_unreachable_database_is_unavailable() -> None:
    database = Database("postgresql+asyncpg://portico@127.0.0.1:1/portico")

    with pytest.raises(DatabaseUnavailable):
        await migrations().upgrade(database)

    await database.close()
