"""Processes that keep the same objects, within one and over a real Redis."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from hashlib import sha256

import pytest
from prometheus_client import REGISTRY

from core.cache.objects import Kind, ObjectCache
from core.cache.store import Store
from core.ids import new_id
from core.single_flight import SingleFlight

THING = Kind("thing", int)
TAG, OTHER = "tag", "other"


class Log:
    """What all processes read: the position of the newest event."""

    def __init__(self) -> None:
        self.position = 5

    async def newest(self) -> int:
        return self.position


@dataclass
class Process:
    """Makes a number that says how often it was made, by whichever process."""

    log: Log
    cache: ObjectCache
    store: Store
    made: list[int]
    time: list[float]
    free: asyncio.Event = field(default_factory=asyncio.Event)
    making: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.free.set()

    async def make(self) -> int:
        self.made.append(len(self.made) + 1)
        number = self.made[-1]
        self.making.set()
        await self.free.wait()
        return number

    async def get(self, key: bytes = b"key", tag: str = TAG) -> int:
        return await self.cache.get(THING, key, (tag,), self.make)


Start = Callable[[], Process]


def outcomes(kind: str = THING.name) -> dict[str, float]:
    name = "portico_object_cache_requests_total"
    return {
        outcome: REGISTRY.get_sample_value(name, {"kind": kind, "outcome": outcome}) or 0.0
        for outcome in ("hit", "miss", "away")
    }


@pytest.fixture
def shop() -> bytes:
    """Its own in a Redis that is everybody's."""
    return new_id("shop").encode()


@pytest.fixture
async def over() -> AsyncIterator[Callable[[str | None, bytes], Start]]:
    """Starts processes of a shop over a Redis, or without one."""
    async with AsyncExitStack() as stack:
        opened: list[Store] = []

        def starter(url: str | None, shop: bytes) -> Start:
            log, made = Log(), list[int]()

            def start() -> Process:
                store, time = Store(url, answer_seconds=20), [0.0]
                opened.append(store)
                cache = ObjectCache(
                    store, lambda key: sha256(shop + key).digest(), log.newest, SingleFlight(), now=lambda: time[0]
                )
                cache.heard = lambda: log.position
                return Process(log, cache, store, made, time)

            return start

        yield starter
        for store in opened:
            await stack.enter_async_context(store)


@pytest.fixture(params=["memory", "redis"])
def process(request: pytest.FixtureRequest, over: Callable[[str | None, bytes], Start], shop: bytes) -> Process:
    return over(None if request.param == "memory" else request.getfixturevalue("redis_url"), shop)()


@pytest.fixture
def start(over: Callable[[str | None, bytes], Start], redis_url: str, shop: bytes) -> Start:
    return over(redis_url, shop)
