"""While Redis is away objects are made, and nobody waits for it but who finds out."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from prometheus_client import REGISTRY

from core.cache.store import Store
from tests.core.cache.conftest import Process, Start, outcomes
from tests.fixtures.application import LogEntries
from tests.fixtures.valkey import ValkeyProcess

WAYS = [("kill", "restart"), ("freeze", "thaw")]


def errors() -> float:
    return REGISTRY.get_sample_value("portico_object_cache_errors_total") or 0.0


@pytest.fixture
async def process(
    valkey: ValkeyProcess, over: Callable[[str | None, bytes], Start], shop: bytes
) -> AsyncIterator[Process]:
    """Which has made its object, and finds it."""
    process = over(valkey.url, shop)()
    process.cache._store = process.store = Store(valkey.url, answer_seconds=0.5)
    async with process.store:
        assert [await process.get(), await process.get()] == [1, 1]
        yield process


@pytest.mark.parametrize(("how", "undo"), WAYS)
async def test_objects_are_made_and_redis_is_asked_once_a_second(
    process: Process, valkey: ValkeyProcess, log_entries: LogEntries, how: str, undo: str
) -> None:
    before, made = errors(), outcomes()
    getattr(valkey, how)()

    found = [await process.get() for _ in range(5)]
    process.time[0] += 1.1
    found.append(await process.get())
    getattr(valkey, undo)()

    assert found == [2, 3, 4, 5, 6, 7]
    assert errors() == before + 2
    assert outcomes() == {**made, "away": made["away"] + 6}
    assert [entry["event"] for entry in log_entries.application] == ["objects_not_kept"]


@pytest.mark.parametrize(("how", "undo"), WAYS)
async def test_objects_are_kept_again_when_it_is_back(
    process: Process, valkey: ValkeyProcess, log_entries: LogEntries, how: str, undo: str
) -> None:
    getattr(valkey, how)()
    await process.get()

    getattr(valkey, undo)()
    async with asyncio.timeout(60):
        while process.cache._is_away:
            process.time[0] += 1.1
            number = await process.get()

    assert await process.get() == number
    assert [entry["event"] for entry in log_entries.application] == ["objects_not_kept", "objects_kept_again"]


async def test_object_that_is_being_made_when_it_goes_is_given(process: Process, valkey: ValkeyProcess) -> None:
    process.free.clear()
    process.making.clear()
    asking = asyncio.create_task(process.get(b"new"))
    await process.making.wait()

    valkey.kill()
    process.free.set()

    assert await asking == 2
    valkey.restart()


async def test_change_while_it_was_away_ends_what_it_kept(process: Process, valkey: ValkeyProcess) -> None:
    valkey.freeze()
    process.log.position += 1
    process.cache.end(("tag",))
    assert await process.get() == 2

    valkey.thaw()
    process.time[0] += 1.1

    assert [await process.get(), await process.get()] == [3, 3]


async def test_address_of_a_socket_is_taken(shop: bytes, over: Callable[[str | None, bytes], Start]) -> None:
    process = over("unix:///nowhere/valkey.sock?db=1", shop)()

    assert await process.get() == 1
    assert process.cache._is_away
