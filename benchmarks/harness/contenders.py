"""Who is compared: Portico's one process, programs of peers, and raw ASGI; each started as its users start it."""

import secrets
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from benchmarks.harness.install import PEERS
from benchmarks.harness.processes import running

PORTICO = (sys.executable, "-c", "from gateway.cli import main; main()")
_UNLIMITED = str(10**12)  # points: they are counted and never used up
Started = tuple[psutil.Process, str]


@contextmanager
def portico(folder: Path, *, cached: bool, database: str | None = None) -> Iterator[Started]:
    """`portico serve` over a data dir, and on PostgreSQL where `database` names it."""
    environment = {
        "PORTICO_DATA_DIR": str(folder),
        "PORTICO_ENVIRONMENT": "production",
        "PORTICO_POINTS_PER_MINUTE": _UNLIMITED,
    }
    if not cached:
        environment["PORTICO_RESPONSE_CACHE_MB"] = "0"
    environment |= on_postgres(database)
    with running((*PORTICO, "serve", "--port", "0", "--no-demo"), folder, environment) as started:
        yield started


def on_postgres(database: str | None) -> dict[str, str]:
    if database is None:
        return {}
    url = database.replace("postgresql://", "postgresql+asyncpg://")
    return {"PORTICO_DATABASE_URL": url, "PORTICO_SECRET_KEY": secrets.token_hex(32)}


@contextmanager
def peer(name: str, environment: Mapping[str, str], python: Path = Path(sys.executable)) -> Iterator[Started]:
    """The `app` of the peer's app.py, on uvicorn, which writes no access log: that is less than Portico does."""
    options = ["--app-dir", str(PEERS), "--port", "0", "--no-access-log"]
    with TemporaryDirectory() as folder:
        command: list[str | Path] = [python, "-m", "uvicorn", *options, f"{name}.app:app"]
        with running(command, Path(folder), environment) as started:
            yield started


@contextmanager
def raw(answers: Mapping[str, bytes]) -> Iterator[Started]:
    """The yardstick, with what it is to answer by path."""
    with TemporaryDirectory() as folder:
        for number, (path, body) in enumerate(answers.items()):
            (Path(folder) / str(number)).write_bytes(path.encode() + b"\n" + body)
        with peer("raw", {"RAW": folder}) as started:
            yield started
