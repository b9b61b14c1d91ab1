"""Wake-ups, within a process and between processes, also while Redis comes and goes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from core.hub import Hub, HubUnavailable
from core.hub.memory import MemoryHub
from core.hub.redis import RedisHub
from tests.fixtures.application import LogEntries
from tests.fixtures.valkey import ValkeyProcess


class Woken:
    """How often it was woken, and a way to wait for it."""

    def __init__(self) -> None:
        self.times = 0
        self._event = asyncio.Event()

    def __call__(self) -> None:
        self.times += 1
        self._event.set()

    async def next(self) -> None:
        async with asyncio.timeout(20):
            await self._event.wait()
        self._event.clear()


@asynccontextmanager
async def listening(url: str, *topics: str) -> AsyncIterator[tuple[RedisHub, list[Woken]]]:
    """A hub of another process, once nothing that is published is lost to it."""
    async with RedisHub(url, quiet_seconds=0.2, again_seconds=0.05) as hub:
        woken = [Woken() for _ in topics]
        for topic, each in zip(topics, woken, strict=True):
            hub.subscribe(topic, each)
        for each in woken:
            await each.next()
            each.times = 0
        yield hub, woken


@pytest.fixture(params=["memory", "redis"])
async def hub(request: pytest.FixtureRequest) -> AsyncIterator[Hub]:
    if request.param == "memory":
        yield MemoryHub()
        return
    async with listening(request.getfixturevalue("redis_url"), "ready") as (hub, _):
        yield hub


async def test_only_subscribers_of_the_topic_are_woken_until_they_leave(hub: Hub) -> None:
    woken: list[str] = []
    leave = hub.subscribe("events", lambda: woken.append("first"))
    hub.subscribe("events", lambda: woken.append("second"))
    hub.subscribe("other", lambda: woken.append("other"))

    hub.publish("events")
    leave()
    hub.publish("events")

    assert woken == ["first", "second", "second"]


async def test_topic_without_subscribers_wakes_nobody(hub: Hub) -> None:
    hub.publish("events")
    await hub.ping()


async def test_who_leaves_while_it_is_woken_keeps_nobody_from_being_woken(hub: Hub) -> None:
    woken: list[str] = []
    leave = hub.subscribe("events", lambda: leave())  # noqa: PLW0108  it is not there yet
    hub.subscribe("events", lambda: woken.append("second"))

    hub.publish("events")

    assert woken == ["second"]


async def test_other_processes_are_woken_once_for_each_publication(redis_url: str) -> None:
    async with listening(redis_url, "events") as (here, [own]), listening(redis_url, "events", "x") as (_, [other, x]):
        here.publish("events")
        await other.next()
        here.publish("events")
        await other.next()
        here.publish("x")
        await x.next()  # whatever came back of the first two has come by now

    assert (own.times, other.times, x.times) == (2, 2, 1)


async def test_publications_while_redis_is_away_wake_others_when_it_is_back(
    valkey: ValkeyProcess, log_entries: LogEntries
) -> None:
    async with listening(valkey.url, "events") as (here, _), listening(valkey.url, "events") as (_, [other]):
        valkey.kill()
        here.publish("events")
        with pytest.raises(HubUnavailable):
            await here.ping()
        valkey.restart()
        await other.next()
        here.publish("events")
        await other.next()
        await here.ping()

    assert {entry["event"] for entry in log_entries.application} == {"redis_away"}


async def test_connection_that_falls_silent_is_given_up(valkey: ValkeyProcess, log_entries: LogEntries) -> None:
    async with listening(valkey.url, "events") as (here, _), listening(valkey.url, "events") as (_, [other]):
        valkey.freeze()
        while sum("silent" in entry["reason"] for entry in log_entries.application) < 2:  # noqa: ASYNC110  of both
            await asyncio.sleep(0.05)
        valkey.thaw()
        await other.next()
        here.publish("events")
        await other.next()


async def test_hub_starts_and_ends_without_redis(log_entries: LogEntries) -> None:  # noqa: ARG001  no log on stderr
    async with RedisHub("redis://127.0.0.1:1") as hub:
        woken = Woken()
        hub.subscribe("events", woken)
        hub.publish("events")

        assert woken.times == 1
