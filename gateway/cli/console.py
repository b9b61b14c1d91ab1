"""What every command shares: settings, the database at its newest schema, and refusals as one line."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import NoReturn

import typer

from core.backup import BackupFailed
from core.database import Database
from core.errors import AppError
from core.logging import flush_logs
from core.server_lock import DataDirInUse
from core.settings import Settings, SettingsError, load_settings


def refuse(message: str) -> NoReturn:
    """Ends the command with exit code 1 and one line on stderr, the last one: the log may say why above it."""
    flush_logs()
    typer.echo(f"portico: {' '.join(message.split())}", err=True)
    raise typer.Exit(1)


@contextmanager
def refusals() -> Iterator[None]:
    """What the world may do wrong, as one line."""
    try:
        yield
    except (SettingsError, DataDirInUse, BackupFailed) as error:
        refuse(str(error))
    except AppError as error:
        cause = f" ({error.__cause__.__cause__ or error.__cause__})" if error.__cause__ else ""
        refuse(f"{error.detail}{cause}")
    except BrokenPipeError:  # says nothing of the world; Click ends quietly
        raise
    except OSError as error:
        refuse(f"{error.filename}: {error.strerror}" if error.filename else str(error))


def settings_or_refuse() -> Settings:
    with refusals():
        return load_settings()


async def upgrade(database: Database) -> bool:
    """Brings the schema and the tables of jobs up to date; False when the schema was."""
    from commerce.schema import migrations  # noqa: PLC0415  Alembic is slow to load
    from core.clock import SystemClock  # noqa: PLC0415
    from core.jobs.jobs import Jobs  # noqa: PLC0415

    done = await migrations().upgrade(database)
    jobs = Jobs(database, SystemClock())
    await jobs.prepare()
    await jobs.close()
    return done


@asynccontextmanager
async def current_database(settings: Settings) -> AsyncIterator[Database]:
    """The database at this program's schema or a newer: embedded mode brings it there, a shared one somebody must."""
    from commerce.schema import migrations  # noqa: PLC0415  Alembic is slow to load
    from core.resources import open_database  # noqa: PLC0415

    async with open_database(settings) as database:
        if settings.embedded:
            await migrations().upgrade(database)
        elif migrations().is_behind(await migrations().current(database)):
            refuse("the database's schema is not current; run `portico db upgrade` first")
        yield database
