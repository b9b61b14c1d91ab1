"""Five hundred open streams and a writer, through a restart of the server under either of the ways to run it."""

import asyncio
import signal
import socket
from abc import ABC, abstractmethod
from collections import Counter
from pathlib import Path

import psutil
import pytest

from core.eventlog import event_id
from tests.fixtures.followers import (
    Follower,
    Headers,
    SocketFollower,
    StreamFollower,
    SubscriptionFollower,
    SubscriptionStreamFollower,
    following,
    shortfalls,
    until,
)
from tests.fixtures.processes import GUNICORN, PORTICO, Process, StartProcess
from tests.journeys.realtime.log import embedded, open_log

SOCKETS, STREAMS, SUBSCRIPTIONS = 350, 150, 2  # the last of each of GraphQL's two transports
PER_KEY = 100
BEGINNING = event_id(0)
PER_SECOND = 100
CUT_OFF = "timeout graceful shutdown exceeded"  # uvicorn says so where streams are still open after 20 s
GONE_SECONDS = 60  # a busy machine's; the product's own bound is the one above


class Runner(ABC):
    """One way to run the server, on a port that it keeps."""

    def __init__(self, start: StartProcess, port: int) -> None:
        self.start = start
        self.port = port
        self.server = self.run()

    @abstractmethod
    def run(self) -> Process: ...

    @abstractmethod
    def restart(self) -> Process:
        """Returns when the old process is gone, and what it printed is in the process that is returned."""


class Served(Runner):
    def run(self) -> Process:
        server = self._launch()
        server.until("Portico is ready")
        return server

    def restart(self) -> Process:
        """The new one is there as soon as the port is free: it waits for the old one to leave the data dir."""
        old = self.server
        old.send(signal.SIGTERM)
        while self._listens():
            pass
        self.server = self._launch()
        assert old.wait(GONE_SECONDS) == 0, old.story
        self.server.until("Portico is ready", GONE_SECONDS)
        return old

    def _launch(self) -> Process:
        return self.start(*PORTICO, "serve", "--port", str(self.port))

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class Gunicorn(Runner):
    def run(self) -> Process:
        server = self.start(*GUNICORN, "-b", f"127.0.0.1:{self.port}", "gateway.main:app")
        server.until("Application startup complete")
        return server

    def restart(self) -> Process:
        (old,) = psutil.Process(self.server.pid).children()
        self.server.send(signal.SIGHUP)
        self.server.until("Application startup complete", GONE_SECONDS, count=2)
        old.wait(GONE_SECONDS)
        assert self.server.running, self.server.story
        return self.server


def subscriptions(address: str, key: Headers) -> list[Follower]:
    found = []
    for kind in (SubscriptionFollower, SubscriptionStreamFollower):
        for _ in range(SUBSCRIPTIONS):
            follower = kind(address, key, BEGINNING)
            follower.field = "productUpdates"
            found.append(follower)
    return list(found)


@pytest.mark.usefixtures("many_files")
@pytest.mark.parametrize("kind", [Served, Gunicorn])
async def test_restart_under_load_loses_nothing_and_doubles_nothing(
    start: StartProcess, free_port: int, tmp_path: Path, kind: type[Runner]
) -> None:
    runner = await asyncio.to_thread(kind, start, free_port)
    address = f"http://127.0.0.1:{free_port}"
    async with open_log(embedded(tmp_path)) as log, asyncio.TaskGroup() as group:
        keys = await log.keys(SOCKETS // PER_KEY + 1, "events:read")
        followers: list[Follower] = [SocketFollower(address, keys[n // PER_KEY], BEGINNING) for n in range(SOCKETS)]
        followers += [StreamFollower(address, keys[n // PER_KEY], BEGINNING) for n in range(STREAMS)]
        followers += subscriptions(address, keys[0])
        async with following(followers):
            stop = asyncio.Event()

            def story() -> object:
                kinds = Counter((type(each).__name__, each.open.is_set(), each.told, each.broken) for each in followers)
                return kinds, runner.server.story[-3000:]

            writing = group.create_task(log.write_on(stop, PER_SECOND))
            await until(lambda: all(len(each.ids) >= PER_SECOND for each in followers))

            old = await asyncio.to_thread(runner.restart)
            await until(lambda: all(each.open.is_set() for each in followers), story)
            before = len(await log.ids())
            await until(lambda: all(len(each.ids) >= before for each in followers))
            stop.set()
            await writing
            expected = await log.ids()
            await until(lambda: all(len(each.ids) >= len(expected) for each in followers))

    assert shortfalls(followers, expected) == {}
    assert Counter((each.told, each.broken) for each in followers) == {(1, 0): len(followers)}, old.story
    assert CUT_OFF not in old.stdout + old.stderr, old.story
