"""Alembic behind three calls: upgrade, current, head. Revisions live with the domain (`commerce/migrations`)."""

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from core.database import Database, translated_errors


class Migrations:
    """The revisions in one folder, applied to a database."""

    def __init__(self, folder: Path) -> None:
        self._config = Config()
        self._config.set_main_option("script_location", str(folder).replace("%", "%%"))
        self._config.set_main_option("path_separator", "os")

    def head(self) -> str:
        """The newest revision there is."""
        return ScriptDirectory.from_config(self._config).get_current_head() or ""

    async def current(self, database: Database) -> str | None:
        """The revision that the database is at; None for an empty one. Raises DatabaseUnavailable."""
        with translated_errors():
            async with database.reader.connect() as connection:
                return await connection.run_sync(lambda bound: MigrationContext.configure(bound).get_current_revision())

    async def upgrade(self, database: Database) -> bool:
        """Applies what is missing in one transaction; False when nothing was. Raises DatabaseUnavailable.

        Two processes that start at once do not collide: SQLite's writer lock or an advisory lock lets one go first.
        """
        if await self.current(database) == await asyncio.to_thread(self.head):
            return False
        with translated_errors():
            async with database.writer.begin() as connection:
                await connection.run_sync(self._upgrade)
        return True

    def _upgrade(self, connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7205759403)")
        self._config.attributes["connection"] = connection
        command.upgrade(self._config, "head")
