"""One server per data dir: a lock that the operating system lets go of when its holder dies, however it dies.

gunicorn's workers inherit their master's lock, so a successor worker is let in. Command-line tools do not take it.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

WAIT_SECONDS = 30.0
_held: dict[Path, IO[str]] = {}


class DataDirInUse(Exception):
    """Another server works on this data dir; the text is one line."""


def hold_server_lock(
    data_dir: Path, *, wait_seconds: float = WAIT_SECONDS, on_wait: Callable[[str], None] | None = None
) -> bool:
    """Takes the lock for the life of this process tree; False where the tree has it already.

    `on_wait` is told the holder's process id, once, if there is one to wait for.

    Waits for a server that is draining. Blocks the thread: call it before the event loop runs.
    Raises DataDirInUse after `wait_seconds`.
    """
    path = data_dir.resolve() / "server.lock"
    if path in _held:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a+")
    deadline = time.monotonic() + wait_seconds
    told = on_wait is None
    while not _try_lock(file):
        holder = _holder(file)
        if not told and on_wait is not None:
            on_wait(holder)
            told = True
        if time.monotonic() >= deadline:
            file.close()
            raise DataDirInUse(
                f"another server (process {holder}) works on {data_dir}; "
                "stop it, or set PORTICO_DATA_DIR to another folder"
            )
        time.sleep(0.1)
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    _held[path] = file
    return True


def release_server_lock(data_dir: Path) -> None:
    file = _held.pop(data_dir.resolve() / "server.lock", None)
    if file is not None:
        file.close()


@contextmanager
def server_lock(data_dir: Path) -> Iterator[None]:
    """The lock while the context lasts; for the whole process tree if it was taken before."""
    taken = hold_server_lock(data_dir)
    try:
        yield
    finally:
        if taken:
            release_server_lock(data_dir)


def _holder(file: IO[str]) -> str:
    file.seek(0)
    return file.read().strip() or "unknown"


def _try_lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
