"""Alembic behind four calls: upgrade, current, head, is_behind. Revisions are the domain's (`commerce/migrations`).

Alembic is loaded where there is something to apply: a server that finds its schema current is ready without it.
"""

from pathlib import Path

from sqlalchemy import Connection, column, inspect, select, table

from core.database import Database, translated_errors

_LOCK_SECONDS = 5
_VERSION = table("alembic_version", column("version_num"))


class Migrations:
    """The revisions in one folder, applied to a database. A file's name begins with its revision, a number of four
    digits, which is one more than that of the revision before.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def head(self) -> str:
        """The newest revision there is."""
        return max((file.name.partition("_")[0] for file in (self._folder / "versions").glob("*.py")), default="")

    def is_behind(self, revision: str | None) -> bool:
        """Whether this program needs a newer one. One that is newer than the program is as good as its own: migrations
        only add to what older programs use.
        """
        return (revision or "") < self.head()

    async def current(self, database: Database) -> str | None:
        """The revision that the database is at; None for an empty one. Raises DatabaseUnavailable."""
        with translated_errors():
            async with database.reader.connect() as connection:
                return await connection.run_sync(_current)

    async def upgrade(self, database: Database) -> bool:
        """Applies what is missing in one transaction; False when nothing was. Raises DatabaseUnavailable.

        Two processes that start at once do not collide: SQLite's writer lock or an advisory lock lets one go first. A
        table that others hold for more than five seconds ends it, with nothing done: try again.
        """
        if not self.is_behind(await self.current(database)):
            return False
        with translated_errors():
            async with database.writer.begin() as connection:
                await connection.run_sync(self._upgrade)
        return True

    def _upgrade(self, connection: Connection) -> None:
        from alembic import command  # noqa: PLC0415  slow to load
        from alembic.config import Config  # noqa: PLC0415

        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7205759403)")
            # Whoever waits for a table keeps all others waiting behind it, those that only read it too.
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'")
        config = Config()
        config.set_main_option("script_location", str(self._folder).replace("%", "%%"))
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _current(connection: Connection) -> str | None:
    if not inspect(connection).has_table(_VERSION.name):
        return None
    revision: str | None = connection.scalar(select(_VERSION.c.version_num))
    return revision
