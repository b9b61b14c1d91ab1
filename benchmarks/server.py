"""A server of Portico over a scratch data dir, as it comes, and keys for it."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.harness.contenders import PORTICO, Started, on_postgres
from benchmarks.harness.processes import environment_with, running


@contextmanager
def server(folder: str) -> Iterator[Started]:
    with running((*PORTICO, "serve", "--port", "0"), Path(folder), _data_dir(folder)) as started:
        yield started


def new_key(folder: str, scopes: str, database: str | None = None) -> str:
    """The secret of a key of the shop's own, which may be on PostgreSQL."""
    command = [*PORTICO, "keys", "create", "bench", "--scopes", scopes]
    environment = environment_with(_data_dir(folder) | on_postgres(database))
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


def _data_dir(folder: str) -> dict[str, str]:
    return {"PORTICO_DATA_DIR": folder}
