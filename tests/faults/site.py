"""The shop as it runs in production: PostgreSQL, Valkey, one gunicorn of three workers and two job workers, all of them
real processes, which can be killed one by one.
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import TypeVar

import psutil
from sqlalchemy import make_url

from commerce.accounts.api_keys import ApiKeyService
from commerce.accounts.commands import CreateKey
from commerce.catalog.service import CatalogService
from commerce.schema import migrations
from core.clock import SystemClock
from core.database import Database, WriteSession
from core.eventlog import EventLog, event_id
from core.jobs.jobs import Jobs
from tests.conftest import server_folder
from tests.factories.products import a_product, a_variant
from tests.faults.load import SCARCE, SKUS
from tests.fixtures.postgres import PostgresProcess
from tests.fixtures.processes import GUNICORN, HASTY_WORKER, PORTICO, Process, StartProcess, a_free_port, programs_in
from tests.fixtures.valkey import ValkeyProcess

WEB, JOBS = 3, 2
METRICS_TOKEN = "a token for the metrics"
HUNG_SECONDS = 240.0  # no bound of the product's: whoever takes longer, on a busy machine too, will not come back
_STOCK, _SCARCE = 1_000_000, 40
SCOPES = ("catalog:read", "orders:read", "orders:write", "events:read")
_WORKER = (*PORTICO, "worker")
_STARTED = "Application startup complete"
T = TypeVar("T")


def until(found: Callable[[], T], what: str, seconds: float = HUNG_SECONDS) -> T:
    """Waits for another process. Raises TimeoutError."""
    deadline = monotonic() + seconds
    while not (value := found()):
        if monotonic() > deadline:
            raise TimeoutError(f"{what}: not in {seconds:g} s")
        sleep(0.02)
    return value


@dataclass
class Gateway:
    """A gunicorn, and how to start it again. `address` stays the same."""

    start: StartProcess
    environment: dict[str, str]
    host: str = "127.0.0.1"
    workers: int = WEB
    prefix: tuple[str, ...] = ()
    port: int = field(default_factory=a_free_port)

    def __post_init__(self) -> None:
        self.address = f"http://{self.host}:{self.port}"
        self.serve()

    def serve(self) -> None:
        """Returns when all workers serve."""
        self._starts = 0
        options = ("-b", f"{self.host}:{self.port}", "-w", str(self.workers), "gateway.main:app")
        self.started = self.start(*self.prefix, *GUNICORN, *options, **self.environment)
        self.master = psutil.Process(self.started.pid)
        self.await_starts(self.workers)

    def await_starts(self, count: int) -> None:
        """So many more workers have started. They and the next master write to where the first does."""
        self._starts += count
        try:
            until(lambda: self._has_ended() or self.started.stderr.count(_STARTED) >= self._starts, "workers start")
        except TimeoutError as error:
            raise TimeoutError(self.started.story) from error
        assert not self._has_ended(), self.started.story

    @property
    def pids(self) -> list[int]:
        return sorted(each.pid for each in self.master.children())

    def kill_one(self) -> None:
        """The oldest worker."""
        os.kill(self.pids[0], signal.SIGKILL)

    def kill_master(self) -> None:
        self.master.kill()
        until(self._has_ended, "gunicorn dies")

    def replace(self) -> None:
        """As docs/operations.md says. Returns when the new workers serve and all that was old is gone."""
        workers = self.pids
        self.master.send_signal(signal.SIGUSR2)
        self.await_starts(self.workers)
        (new,) = [each for each in self.master.children() if each.pid not in workers]
        self.master.terminate()
        until(self._has_ended, "old workers drain")
        self.master = new

    def _has_ended(self) -> bool:
        try:
            return bool(self.master.status() == psutil.STATUS_ZOMBIE)  # until whoever started it asks
        except psutil.NoSuchProcess:
            return True


class Site:
    """`hasty`: jobs of a dead worker are taken over after seconds, and not after a minute."""

    def __init__(
        self,
        folder: Path,
        start: StartProcess,
        postgres: PostgresProcess,
        valkey: ValkeyProcess,
        *,
        hasty: bool,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.start = start
        self.postgres = postgres
        self.valkey = valkey
        self.database_url = postgres.url
        self.key = asyncio.run(_furnish(self.database_url))
        self.environment = {
            "PORTICO_DATABASE_URL": self.database_url,
            "PORTICO_REDIS_URL": valkey.url,
            "PORTICO_SECRET_KEY": "a secret that all processes share",
            "PORTICO_METRICS_TOKEN": METRICS_TOKEN,
            **(environment or {}),
        }
        self._worker = HASTY_WORKER if hasty else _WORKER
        self.workers: list[Process] = []

    def open(self) -> None:
        self.work()
        self.gateway = Gateway(self.start, self.environment)

    def work(self) -> None:
        """Returns when there are as many job workers as there should be."""
        while len(self.workers) < JOBS:
            self.work_one()

    def work_one(self) -> None:
        """One more, which works when this returns."""
        started = self.start(*self._worker, **self.environment)
        self.workers.append(started)
        started.until("works on jobs", HUNG_SECONDS)

    def led(self, postgres: tuple[str, int], valkey: tuple[str, int]) -> dict[str, str]:
        """The environment of a process whose ways to both lead over these addresses."""
        host, port = postgres
        url = make_url(self.database_url).set(host=host, port=port, query={})
        led = {"DATABASE_URL": url.render_as_string(hide_password=False), "REDIS_URL": "redis://{}:{}".format(*valkey)}
        return self.environment | {f"PORTICO_{name}": value for name, value in led.items()}

    def ask(self, question: Callable[[Database], Awaitable[T]]) -> T:
        """Past all processes, straight from the database."""

        async def answered() -> T:
            database = Database(self.database_url)
            try:
                return await question(database)
            finally:
                await database.close()

        return asyncio.run(answered())


@contextmanager
def a_site(folder: Path, *, hasty: bool, environment: Mapping[str, str] | None = None) -> Iterator[Site]:
    """Everything that it started has ended when it is left, whatever happened inside."""
    with ExitStack() as stack:
        postgres = PostgresProcess(Path(stack.enter_context(server_folder())))
        stack.callback(postgres.stop)
        valkey = ValkeyProcess()
        stack.callback(valkey.stop)
        start = stack.enter_context(programs_in(folder))
        site = Site(folder, start, postgres, valkey, hasty=hasty, environment=environment)
        site.open()
        yield site


async def newest_event(database: Database) -> str:
    async with database.read() as session:
        return event_id(await EventLog(session).newest())


async def _furnish(url: str) -> str:
    """A schema, things to sell, and a key; returns its secret."""
    database = Database(url)
    try:
        await migrations().upgrade(database)
        jobs = Jobs(database, SystemClock())
        await jobs.prepare()
        await jobs.close()
        async with database.write() as session:
            return await _fill(session)
    finally:
        await database.close()


async def _fill(session: WriteSession) -> str:
    clock = SystemClock()
    for sku in (*SKUS, SCARCE):
        variant = a_variant(sku=sku, stock=_SCARCE if sku == SCARCE else _STOCK)
        await CatalogService(session, clock).create(a_product(handle=sku.lower(), title=sku, variants=(variant,)))
    made = await ApiKeyService(session, clock, actor="test").create(CreateKey("faults", SCOPES))
    return made.secret
