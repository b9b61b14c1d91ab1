"""Two gunicorn workers over PostgreSQL and Valkey: sockets on both, chats between them, and what fails meanwhile."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from core.eventlog import event_id
from tests.fixtures.followers import Follower, Headers, SocketFollower, StreamFollower, following, shortfalls, until
from tests.fixtures.processes import GUNICORN, Process, StartProcess
from tests.fixtures.sockets import Peer, Schemas, connected
from tests.fixtures.valkey import ValkeyProcess
from tests.journeys.realtime.log import open_log

SECRET = "long enough to be a secret"
BEGINNING = event_id(0)
SOCKETS_AT_MOST = 80
# The shop, where somebody whose process was killed is gone after six seconds instead of 45.
APPLICATION = """
from datetime import timedelta
from commerce.support import presence
presence.LIFETIME = timedelta(seconds=6)
presence.Pace.__init__.__defaults__ = (1.0, 2.0, 1.0)
from gateway.main import app
"""
ROOM = "/public/v1/support/rooms/help/ws"


class Workers:
    """`master` is gunicorn's own process."""

    def __init__(self, master: Process, port: int) -> None:
        self.master = master
        self.port = port

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def of(self, local_port: int) -> int | None:
        """The process that has the other end of a client's connection; None where there is none."""
        for worker in psutil.Process(self.master.pid).children():
            for each in worker.net_connections("tcp"):
                if each.raddr[1:] == (local_port,):
                    return int(worker.pid)
        return None

    @property
    def pids(self) -> list[int]:
        return sorted(worker.pid for worker in psutil.Process(self.master.pid).children())

    async def connection_to(self, pid: int) -> socket.socket:
        """One that this worker has taken."""
        others = []
        try:
            async with asyncio.timeout(60):
                while True:
                    opened = await asyncio.to_thread(socket.create_connection, ("127.0.0.1", self.port))
                    local_port = opened.getsockname()[1]
                    await until(lambda local_port=local_port: self.of(local_port))  # type: ignore[misc]
                    if self.of(local_port) == pid:
                        return opened
                    others.append(opened)
        finally:
            for each in others:
                each.close()


@pytest.fixture
def workers(
    start: StartProcess, free_port: int, tmp_path: Path, postgres_database_url: str, valkey: ValkeyProcess
) -> Workers:
    (tmp_path / "shortly.py").write_text(APPLICATION)
    options = ("-b", f"127.0.0.1:{free_port}", "-w", "2", "shortly:app")
    settings = {"DATABASE_URL": postgres_database_url, "REDIS_URL": valkey.url, "SECRET_KEY": SECRET}
    master = start(*GUNICORN, *options, **{f"PORTICO_{name}": value for name, value in settings.items()})
    master.until("Application startup complete", 60, count=2)
    return Workers(master, free_port)


@asynccontextmanager
async def followers_of_both(workers: Workers, key: Headers) -> AsyncIterator[list[Follower]]:
    """Ten at a time, until each worker has some."""
    found: list[Follower] = []
    async with AsyncExitStack() as stack:
        while len({workers.of(each.local_port) for each in found}) < 2:
            assert len(found) < SOCKETS_AT_MOST
            more: list[Follower] = [SocketFollower(workers.address, key, BEGINNING) for _ in range(8)]
            more += [StreamFollower(workers.address, key, BEGINNING) for _ in range(2)]
            await stack.enter_async_context(following(more))
            found += more
        yield found


async def test_death_of_valkey_costs_time_and_no_event(
    workers: Workers, postgres_database_url: str, valkey: ValkeyProcess
) -> None:
    async with open_log(postgres_database_url) as log:
        (key,) = await log.keys(1, "events:read")
        async with followers_of_both(workers, key) as followers:

            async def heard(count: int) -> None:
                for _ in range(count // 2):
                    await log.write(2)
                written = len(await log.ids())
                await until(lambda: all(len(each.ids) >= written for each in followers))

            await heard(40)
            await asyncio.to_thread(valkey.kill)
            await heard(40)
            await asyncio.to_thread(valkey.restart)
            await heard(40)

            assert shortfalls(followers, await log.ids()) == {}
            assert {(each.told, each.broken) for each in followers} == {(0, 0)}


async def test_chat_between_workers_outlives_one_of_them(
    workers: Workers, postgres_database_url: str, schemas: Schemas
) -> None:
    here, there = workers.pids
    async with open_log(postgres_database_url) as log, AsyncExitStack() as stack:
        keys = await log.keys(3, "support:write")

        async def enter(key: Headers, pid: int | None = None, query: str = "") -> Peer:
            sock = await workers.connection_to(pid) if pid is not None else None
            url = f"{workers.address.replace('http', 'ws')}{ROOM}{query}"
            return await stack.enter_async_context(connected(url, schemas, key, sock=sock))

        ada = await enter(keys[0], here)
        bob = await enter(keys[1], there)
        eve = await enter(keys[2], there)
        joined = [await heard_of(ada, "presence") for _ in range(3)]
        assert {each["state"] for each in joined} == {"joined"}
        assert len({each["person"]["id"] for each in joined}) == 3

        await ada.say("send", text="from here")
        assert await texts(ada, bob, eve) == ["from here"] * 3
        await bob.say("send", text="from there")
        (cursor,) = {(await heard_of(each, "message"))["cursor"] for each in (ada, bob, eve)}

        os.kill(there, signal.SIGKILL)
        await ada.say("send", text="who is left?")
        bob = await enter(keys[1], query=f"?after={cursor}")
        assert await texts(ada, bob) == ["who is left?"] * 2
        await bob.say("send", text="not Eve")
        assert await texts(bob) == ["not Eve"]

        gone = await heard_of(ada, "presence")
        assert (gone["state"], gone["person"]) == ("left", joined[2]["person"])


async def heard_of(peer: Peer, kind: str) -> dict[str, Any]:
    """The next frame of this type."""
    while (frame := await peer.hear())["type"] != kind:
        pass
    return frame


async def texts(*peers: Peer) -> list[str]:
    """The next thing that each was told."""
    return [(await heard_of(each, "message"))["text"] for each in peers]
