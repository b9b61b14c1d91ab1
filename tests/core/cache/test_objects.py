"""Objects are made once, found by all, and never older than a change that this process knows of."""

import asyncio
from hashlib import sha256

import pytest

from core.cache.objects import Kind
from core.cache.store import Store
from core.ids import new_id
from tests.core.cache.conftest import OTHER, TAG, Process, Start, outcomes


def name_of(process: Process) -> str:
    return "portico:object:thing:" + process.cache._fingerprint(b"key").hex()[:32]


async def test_object_is_made_once(process: Process) -> None:
    before = outcomes()

    found = [await process.get() for _ in range(3)]

    assert (found, process.made) == ([1, 1, 1], [1])
    assert outcomes() == {"hit": before["hit"] + 2, "miss": before["miss"] + 1, "away": before["away"]}


async def test_all_who_ask_while_it_is_made_get_that(process: Process) -> None:
    process.free.clear()

    asking = [asyncio.create_task(process.get()) for _ in range(20)]
    await process.making.wait()
    process.free.set()

    assert await asyncio.gather(*asking) == [1] * 20
    assert process.made == [1]


async def test_each_key_and_kind_has_its_own(process: Process) -> None:
    found = [await process.get(b"one"), await process.get(b"two")]
    found.append(await process.cache.get(Kind("other", int), b"one", (TAG,), process.make))

    assert (found, await process.get(b"one")) == ([1, 2, 3], 1)


async def test_write_that_was_answered_is_in_the_next_read(process: Process) -> None:
    await process.get()

    process.log.position += 1
    process.cache.end((TAG,))

    assert [await process.get(), await process.get()] == [2, 2]


async def test_change_that_was_heard_of_is_in_the_next_read(process: Process) -> None:
    await process.get()

    process.log.position += 1
    process.cache.end((TAG,), process.log.position)

    assert [await process.get(), await process.get()] == [2, 2]


async def test_own_change_that_is_told_once_more_ends_nothing_newer(process: Process) -> None:
    process.log.position += 1
    process.cache.end((TAG,))
    await process.get()

    process.cache.end((TAG,), process.log.position)

    assert await process.get() == 1


async def test_change_of_something_else_ends_nothing(process: Process) -> None:
    await process.get()

    process.log.position += 2
    process.cache.end((OTHER,))
    process.cache.end((OTHER,), process.log.position)

    assert await process.get() == 1


async def test_who_asks_after_a_change_does_not_get_what_was_begun_before_it(process: Process) -> None:
    process.free.clear()
    early = asyncio.create_task(process.get())
    await process.making.wait()

    process.log.position += 1
    process.cache.end((TAG,))
    process.making.clear()
    late = asyncio.create_task(process.get())
    process.free.set()

    assert (await early, await late) == (1, 2)
    assert await process.get() == 2


async def test_what_was_begun_before_a_change_is_not_given_though_it_is_kept_after_it(process: Process) -> None:
    process.free.clear()
    early = asyncio.create_task(process.get())
    await process.making.wait()

    process.log.position += 1
    process.cache.end((TAG,), process.log.position)
    process.free.set()

    assert (await early, await process.get()) == (1, 2)


async def test_second_write_while_the_first_is_looked_up_is_not_missed(process: Process) -> None:
    await process.get(b"early")
    looking, go_on = asyncio.Event(), asyncio.Event()
    newest = process.log.newest

    async def slow() -> int:
        position = await newest()
        looking.set()
        await go_on.wait()
        return position

    process.cache._newest = slow
    process.cache.end((TAG,))
    first = asyncio.create_task(process.get())
    await looking.wait()
    process.log.position += 1
    process.cache.end((TAG,))
    go_on.set()
    await first
    made = len(process.made)

    assert await process.get(b"early") == made + 1


async def test_nothing_is_kept_before_changes_are_heard_of(process: Process) -> None:
    process.cache.heard = lambda: None

    found = [await process.get(), await process.get()]

    assert found == [1, 2]


async def test_failure_is_told_to_all_who_wait_and_not_kept(process: Process) -> None:
    fails = asyncio.Event()

    async def fail() -> int:
        await fails.wait()
        raise LookupError("no such thing")

    asking = [asyncio.create_task(process.cache.get(Kind("thing", int), b"key", (TAG,), fail)) for _ in range(3)]
    fails.set()

    assert [type(each) for each in await asyncio.gather(*asking, return_exceptions=True)] == [LookupError] * 3
    async with asyncio.timeout(1.5):  # nobody has a claim on it any more: that would be waited for
        assert await process.get() == 1


@pytest.mark.parametrize("kept", [b"", b"gone", b'{"position":9,"value":"seven"}', b'{"value":7}', b"\x80\x04K\x07."])
async def test_what_another_version_kept_is_made_anew(process: Process, kept: bytes) -> None:
    await process.store.set(name_of(process), kept, 60)

    assert await process.get() == 1


async def test_object_is_kept_for_a_minute_and_no_longer(process: Process) -> None:
    await process.get()

    kept = await (await process.store._open()).get_expire(name_of(process))

    assert 0 < kept <= 60


async def test_process_alone_keeps_a_thousand_objects_and_forgets_those_that_nobody_asked_for() -> None:
    async with Store(None) as store:
        for number in range(1_000):
            await store.set(str(number), b"kept", 60)
        await store.get("0")
        await store.set("one more", b"kept", 60)

        kept = [await store.get(name) for name in ("0", "1", "2", "one more")]

    assert kept == [b"kept", None, b"kept", b"kept"]


async def test_other_process_finds_it(start: Start) -> None:
    here, there = start(), start()

    assert [await here.get(), await there.get()] == [1, 1]


async def test_process_that_asks_while_another_makes_it_waits_for_that(start: Start) -> None:
    here, there = start(), start()
    here.free.clear()

    early = asyncio.create_task(here.get())
    await here.making.wait()
    late = asyncio.create_task(there.get())
    await asyncio.sleep(0)
    here.free.set()

    assert (await early, await late, here.made) == (1, 1, [1])


async def test_change_that_one_process_knows_of_is_known_to_who_finds_it_made_anew(start: Start) -> None:
    here, there = start(), start()
    assert [await here.get(), await there.get()] == [1, 1]
    here.log.position += 1
    here.cache.end((TAG,))

    found = [await there.get(), await here.get(), await there.get()]

    assert found == [1, 2, 2]  # the first of them has not heard of it yet


async def test_process_that_started_later_does_not_trust_what_it_heard_nothing_of(start: Start) -> None:
    here, late = start(), start()
    await here.get()
    here.log.position += 1  # there may have been a change that only who listened knows of

    assert [await late.get(), await here.get()] == [2, 2]


async def test_other_shop_with_the_same_redis_finds_nothing(start: Start) -> None:
    here, other = start(), start()
    other.cache._fingerprint = lambda key: sha256(b"another shop" + key).digest()

    assert [await here.get(), await other.get()] == [1, 2]


async def test_process_that_made_it_for_too_long_does_not_end_the_claim_of_the_next(start: Start) -> None:
    slow, following = start(), start()
    name = new_id("object")
    await following.store.claim(name, "following")

    await slow.store.release(name, "slow")

    assert await slow.store.claim(name, "third") is False


async def test_claim_of_a_process_that_died_is_not_waited_for_longer_than_it_holds(start: Start) -> None:
    here, dead = start(), start()
    assert await dead.store.claim(name_of(here), "dead") is True

    assert await here.get() == 1
