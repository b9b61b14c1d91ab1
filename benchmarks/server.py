"""A real server over a scratch data dir, for benchmarks that measure it from outside."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

_PORTICO = (sys.executable, "-c", "from gateway.cli import main; main()")


@contextmanager
def server(folder: str) -> Iterator[tuple[psutil.Process, str]]:
    """The process, and its address."""
    command = [*_PORTICO, "serve", "--port", "0"]
    log = Path(folder) / "log"
    with (
        log.open("wb") as output,
        subprocess.Popen(command, env=_environment(folder), stdout=output, stderr=subprocess.STDOUT) as process,
    ):
        try:
            yield psutil.Process(process.pid), _address(log)
        finally:
            process.terminate()


def new_key(folder: str, scopes: str) -> str:
    """The secret of a key of the shop's own."""
    command = [*_PORTICO, "keys", "create", "bench", "--scopes", scopes]
    done = subprocess.run(command, env=_environment(folder), stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


def _address(log: Path) -> str:
    for _ in range(600):
        found = re.search(r"http://127\.0\.0\.1:\d+", log.read_text())
        if found:
            return found[0]
        time.sleep(0.1)
    raise TimeoutError(log.read_text())


def _environment(folder: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PORTICO_")}
    return inherited | {"PORTICO_DATA_DIR": folder}
