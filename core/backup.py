"""A copy of an SQLite database that is in use: whole, of one moment, and on the disk when it has its name."""

import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

_BUSY_SECONDS = 10


class BackupFailed(Exception):
    """Nothing was written; the text is one line."""


def back_up(source: Path, target: Path) -> int:
    """Returns how many bytes it has. Those who write meanwhile wait for nothing, and what they commit is not in it.

    Raises BackupFailed, or OSError where the folder of `target` cannot be written.
    """
    if target.exists():
        raise BackupFailed(f"{target} is there already")
    if not source.is_file():
        raise BackupFailed(f"there is no database at {source}")
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}-")  # mode 0600: it holds secrets
    os.close(descriptor)
    draft = Path(name)
    try:
        _copy(source, draft)
        _settle(draft)
        draft.rename(target)
        _settle(target.parent)
    except sqlite3.Error as error:
        raise BackupFailed(f"{source} was not copied: {error}") from error
    finally:
        draft.unlink(missing_ok=True)
    return target.stat().st_size


def _copy(source: Path, draft: Path) -> None:
    with (
        closing(sqlite3.connect(source, timeout=_BUSY_SECONDS)) as live,
        closing(sqlite3.connect(draft, isolation_level=None)) as copy,
    ):
        live.backup(copy)  # in one step, and so on one snapshot
        copy.execute("PRAGMA journal_mode=DELETE")  # one file; who opens it next makes it WAL again
        (found,) = copy.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise BackupFailed(f"{source} is damaged: {found}")


def _settle(path: Path) -> None:
    """Waits until the disk has it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
