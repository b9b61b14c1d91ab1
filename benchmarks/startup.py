"""How long a server takes from its command to its first 200 of /readyz, and how much memory it holds then and after it
has answered for a while: `portico serve` on SQLite with its jobs, and a web worker of gunicorn on PostgreSQL.
"""

import secrets
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from benchmarks.harness.asking import PRODUCTS, operation
from benchmarks.harness.catalogue import fill_sqlite, postgres
from benchmarks.harness.contenders import PORTICO
from benchmarks.harness.processes import ending, environment_with
from benchmarks.report import Row, at_most

STARTS = 5
REQUESTS = 200  # of each kind
REQUIRED_SECONDS = 2.0
REQUIRED_MB = 150.0
_ROOT = Path(__file__).parents[1]
_GUNICORN = (sys.executable, "-m", "gunicorn", "-c", str(_ROOT / "gunicorn.conf.py"), "gateway.main:app")
_GIVEN_UP_SECONDS = 60
_SETTLED_SECONDS = 5.0  # what is loaded after readiness is loaded then


@dataclass(frozen=True, slots=True)
class Start:
    """`busy_mb`: after it has answered. `cpu` and memory, of a million bytes, are of the process that serves."""

    seconds: float
    cpu_seconds: float
    ready_mb: float
    busy_mb: float


def run() -> list[Row]:
    with TemporaryDirectory() as folder:
        fill_sqlite(Path(folder))
        alone = [_start((*PORTICO, "serve", "--no-demo", "--port"), folder, {}) for _ in range(STARTS + 1)]
    with TemporaryDirectory() as folder, postgres("portico") as (_, (url,)):
        environment = {
            "PORTICO_DATABASE_URL": url.replace("postgresql://", "postgresql+asyncpg://"),
            "PORTICO_SECRET_KEY": secrets.token_hex(32),
        }
        _run((*PORTICO, "db", "upgrade"), folder, environment)
        workers = [_start((*_GUNICORN, "-b"), folder, environment) for _ in range(STARTS + 1)]
    return [*_rows("portico serve", alone[1:]), *_rows("web worker", workers[1:], limit_mb=REQUIRED_MB)]


def _rows(what: str, starts: Sequence[Start], limit_mb: float | None = None) -> list[Row]:
    """Of the first one nothing counts: it makes the bytecode."""
    seconds = statistics.median(each.seconds for each in starts)
    cpu = statistics.median(each.cpu_seconds for each in starts)
    ready = statistics.median(each.ready_mb for each in starts)
    busy = statistics.median(each.busy_mb for each in starts)
    after = f"{what}, memory after {2 * REQUESTS:,} requests"
    return [
        at_most(f"{what}, from its command to ready", seconds, "s", REQUIRED_SECONDS),
        Row(f"{what}, processor until ready", cpu, "s"),
        Row(f"{what}, memory when ready", ready, "MB"),
        at_most(after, busy, "MB", limit_mb) if limit_mb is not None else Row(after, busy, "MB"),
    ]


def _start(command: Sequence[str], folder: str, environment: Mapping[str, str]) -> Start:
    port = _free_port()
    address = f"127.0.0.1:{port}"
    place = address if command[-1] == "-b" else str(port)
    log = Path(folder) / "log"
    begun = time.monotonic()
    with (
        log.open("wb") as output,
        subprocess.Popen(
            (*command, place),
            cwd=folder,
            env=_environment(folder, environment),
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as started,
        ending(started) as root,
        httpx.Client(base_url=f"http://{address}") as client,
    ):
        _await_ready(client, started, log)
        seconds = time.monotonic() - begun
        process = next((each for each in root.children() if command[-1] == "-b"), root)
        times = process.cpu_times()
        ready = process.memory_info().rss
        _ask(client)
        return Start(seconds, times.user + times.system, ready / 1e6, process.memory_info().rss / 1e6)


def _await_ready(client: httpx.Client, started: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _GIVEN_UP_SECONDS
    while time.monotonic() < deadline and started.poll() is None:
        with suppress(httpx.TransportError):
            if client.get("/readyz").is_success:
                return
        time.sleep(0.01)
    raise RuntimeError(f"the server did not become ready: {log.read_text(errors='replace')[-2000:]}")


def _ask(client: httpx.Client) -> None:
    time.sleep(_SETTLED_SECONDS)
    asked = operation()
    for _ in range(REQUESTS):
        client.get(PRODUCTS).raise_for_status()
        client.post(asked.path, content=asked.body, headers=dict(asked.headers)).raise_for_status()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _run(command: Sequence[str], folder: str, environment: Mapping[str, str]) -> None:
    subprocess.run(command, cwd=folder, env=_environment(folder, environment), check=True, stdout=subprocess.DEVNULL)


def _environment(folder: str, given: Mapping[str, str]) -> dict[str, str]:
    return environment_with({"PORTICO_DATA_DIR": folder, "PYTHONPATH": str(_ROOT), **given})
