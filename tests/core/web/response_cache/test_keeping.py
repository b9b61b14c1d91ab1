"""What is kept, for how long, and what ends it; who waits for whom."""

import asyncio
import gc
import tracemalloc

import pytest

from core.web.response_cache import forget
from tests.core.web.response_cache.kept import JSON, Got, Shop

KEPT = "fwd=uri-miss; stored"
MADE = "fwd=uri-miss"


async def test_answer_is_kept_until_what_it_shows_changes() -> None:
    shop = Shop()
    told = [(await shop.get()).told for _ in range(2)]
    shop.cache.purge(("another",))
    told.append((await shop.get()).told)
    shop.cache.purge(("thing",))
    shop.value = "two"
    last = await shop.get()

    assert told == [KEPT, "hit; ttl=60", "hit; ttl=60"]
    assert (last.told, last.body) == (KEPT, b"two")


@pytest.mark.parametrize("changed", ["thing", "second"])
async def test_answer_that_changed_while_it_was_made_is_given_and_not_kept(changed: str) -> None:
    shop = Shop()
    shop.tags = ("thing", "second")
    making = await shop.begun()
    shop.cache.purge((changed,))
    shop.value = "two"
    shop.open.set()
    first, second = await making, await shop.get()

    assert (first.body, first.told) == (b"one", MADE)
    assert (second.body, second.told) == (b"two", KEPT)


async def test_answer_is_kept_though_something_else_changed_while_it_was_made() -> None:
    shop = Shop()
    making = await shop.begun()
    shop.cache.purge(("another",))
    shop.open.set()

    assert (await making).told == KEPT


async def test_change_is_remembered_for_every_answer_in_the_making() -> None:
    """Also when another one ends meanwhile, and when there were too many changes to remember each."""
    for storm in ((), tuple(f"t{number}" for number in range(10_001))):
        shop = Shop()
        making = await shop.begun()
        shop.cache.purge(("thing",))
        shop.open.set()
        await shop.get("/others")
        shop.open.clear()
        shop.cache.purge(storm)
        shop.open.set()

        assert (await making).told == MADE


async def test_who_comes_after_a_change_does_not_wait_for_what_began_before_it() -> None:
    shop = Shop()
    before = await shop.begun()
    shop.cache.purge(("another",))
    shop.value = "two"
    after = await shop.begun()
    shop.open.set()

    assert [(await each).body for each in (before, after)] == [b"one", b"two"]


async def test_nothing_is_kept_of_what_began_before_changes_are_heard_of() -> None:
    shop = Shop()
    shop.ready = False
    making = await shop.begun()
    shop.ready = True
    shop.open.set()

    assert [(await making).told, (await shop.get()).told] == [MADE, KEPT]


async def test_many_at_once_are_answered_by_one_making() -> None:
    shop = Shop()
    first = await shop.begun()
    others = [asyncio.create_task(shop.get()) for _ in range(500)]
    await asyncio.sleep(0)
    shop.open.set()
    got = [await each for each in (first, *others)]

    assert shop.made == 1
    assert {each.body for each in got} == {b"one"}
    assert [each.told for each in got] == [KEPT] + ["fwd=uri-miss; collapsed"] * 500
    assert shop.counted == 501


async def test_those_who_wait_get_an_answer_that_changed_meanwhile() -> None:
    """They all asked before the change, and so may see what was before it."""
    shop = Shop()
    first = await shop.begun()
    others = [asyncio.create_task(shop.get()) for _ in range(3)]
    await asyncio.sleep(0)
    shop.cache.purge(("thing",))
    shop.open.set()

    assert [(await each).body for each in (first, *others)] == [b"one"] * 4
    assert shop.made == 1
    assert len(shop.cache) == 0


async def test_those_who_wait_for_what_cannot_be_shared_go_themselves() -> None:
    shop = Shop()
    shop.tags = None
    first = await shop.begun()
    others = [asyncio.create_task(shop.get()) for _ in range(3)]
    await asyncio.sleep(0)
    shop.open.set()

    assert {(await each).told for each in (first, *others)} == {MADE}
    assert shop.made == 4


async def test_nobody_waits_where_the_last_answer_could_not_be_shared() -> None:
    shop = Shop()
    shop.tags = None
    await shop.get()
    first = await shop.begun()
    second = await shop.begun()
    shop.open.set()

    assert [(await each).told for each in (first, second)] == [MADE, MADE]


@pytest.mark.parametrize("leaving", ["cancelled", "failed"])
async def test_who_leaves_takes_nobody_down(leaving: str) -> None:
    shop = Shop()
    first = await shop.begun()
    others = [asyncio.create_task(shop.get()) for _ in range(3)]
    await asyncio.sleep(0)
    if leaving == "cancelled":
        first.cancel()
    else:
        shop.failing = RuntimeError("gone")
        shop.open.set()
    with pytest.raises((asyncio.CancelledError, RuntimeError)):
        await first
    shop.open.set()

    assert [(await each).body for each in others] == [b"one"] * 3
    assert shop.made == 2


async def test_waiter_that_leaves_takes_nobody_down() -> None:
    shop = Shop()
    first = await shop.begun()
    others = [asyncio.create_task(shop.get()) for _ in range(3)]
    await asyncio.sleep(0)
    others[0].cancel()
    await asyncio.wait([others[0]])
    shop.open.set()

    assert [(await each).body for each in (first, *others[1:])] == [b"one"] * 3
    assert shop.made == 1


async def test_old_answer_is_given_while_it_is_made_anew_once() -> None:
    shop = Shop()
    await shop.get()
    shop.time += 61
    shop.value = "two"
    size = shop.cache.bytes
    stale = [await shop.get() for _ in range(3)]
    await shop.cache.settle()
    fresh = await shop.get()

    assert [(each.body, each.told, each.headers[b"age"]) for each in stale] == [(b"one", "hit; ttl=-1", b"61")] * 3
    assert (fresh.body, fresh.told) == (b"two", "hit; ttl=60")
    assert (shop.made, shop.counted) == (2, 5)
    assert (len(shop.cache), shop.cache.bytes) == (1, size)


async def test_old_answer_that_is_asked_for_by_its_tag_is_made_anew_whole() -> None:
    shop = Shop()
    await shop.get()
    shop.time += 61
    shop.value = "two"
    unchanged = await shop.get("/things", (b"if-none-match", b'W/"1"'), method="HEAD")
    await shop.cache.settle()

    assert unchanged.status == 304
    assert shop.asked == [("GET", False), ("GET", False)]
    assert (await shop.get()).body == b"two"


@pytest.mark.parametrize(("status", "kept"), [(503, 1), (404, 0)])
async def test_old_answer_outlives_a_failure_and_not_another_answer(status: int, kept: int) -> None:
    shop = Shop()
    await shop.get()
    shop.time += 61
    shop.status, shop.tags = status, None
    await shop.get()
    await shop.cache.settle()

    assert len(shop.cache) == kept


async def test_too_old_an_answer_is_not_given() -> None:
    shop = Shop()
    await shop.get()
    shop.time += 661
    shop.value = "two"

    assert ((await shop.get()).body, shop.made) == (b"two", 2)


async def test_refreshing_that_a_change_overtakes_brings_nothing_old_back() -> None:
    shop = Shop()
    await shop.get()
    shop.time += 61
    shop.open.clear()
    shop.entered.clear()
    await shop.get()
    await shop.entered.wait()
    shop.cache.purge(("thing",))
    shop.value = "two"
    shop.open.set()
    await shop.cache.settle()

    assert ((await shop.get()).body, (await shop.get()).told) == (b"two", "hit; ttl=60")


@pytest.mark.parametrize(
    "headers",
    [
        [(b"set-cookie", b"a=b")],
        [(b"vary", b"Accept-Language")],
        [(b"vary", b"*")],
        [(b"vary", b"Origin"), (b"vary", b"User-Agent, Origin")],
    ],
)
async def test_answer_that_depends_on_what_is_in_no_key_is_not_kept(headers: list[tuple[bytes, bytes]]) -> None:
    shop = Shop()
    shop.headers = [JSON, *headers]

    assert [(await shop.get()).told for _ in range(2)] == [MADE, MADE]


@pytest.mark.parametrize("status", [201, 203, 206, 301, 404, 500])
async def test_only_plain_success_is_kept(status: int) -> None:
    shop = Shop()
    shop.status = status

    assert [(await shop.get()).told for _ in range(2)] == [MADE, MADE]


async def test_answer_in_pieces_is_passed_on_and_not_kept() -> None:
    shop = Shop()
    shop.pieces = 3
    got = [await shop.get() for _ in range(2)]

    assert [(each.body, each.told) for each in got] == [(b"oneoneone", MADE)] * 2


async def test_what_is_over_is_refused_by_the_application() -> None:
    """Which is asked then: here it answers everybody."""
    shop = Shop(points=2)
    got = [await shop.get() for _ in range(4)]

    assert [each.told for each in got] == [KEPT, "hit; ttl=60", "hit; ttl=60", "fwd=bypass"]
    assert [each.headers.get(b"ratelimit") for each in got] == [None, b'"points";r=1;t=60', b'"points";r=0;t=60', None]


@pytest.mark.parametrize("asks", [True, False])
async def test_application_can_have_an_address_dropped_where_the_caller_asks(*, asks: bool) -> None:
    shop = Shop()
    for path in ("/things?b=1&a=1", "/things?a=1"):
        await shop.get(path)
        await shop.get(path, (b"accept-encoding", b"br"))
    shop.act = forget
    wish = (b"cache-control", b"max-age=0, No-Cache" if asks else b"max-age=0")
    await shop.get("/things?a=1&b=1", (b"authorization", b"Bearer x"), wish)

    assert len(shop.cache) == (2 if asks else 4)


async def test_memory_stays_under_its_bound_by_dropping_what_was_not_asked_for_longest() -> None:
    shop = Shop(limit_bytes=100_000)
    shop.value = "x" * 5_000
    most = 0
    for number in range(200):
        await shop.get(f"/things?n={number}")
        assert (await shop.get("/things?n=0")).told == "hit; ttl=60"
        most = max(most, shop.cache.bytes)

    assert most <= 100_000
    assert len(shop.cache) == 100_000 // (shop.cache.bytes // len(shop.cache))
    assert (await shop.get("/things?n=199")).told == "hit; ttl=60"
    assert (await shop.get("/things?n=100")).told == KEPT


@pytest.mark.parametrize(("size", "number"), [(50, 500), (5_000, 100)])
async def test_memory_that_is_told_is_no_less_than_what_is_taken(size: int, number: int) -> None:
    shop = Shop(limit_bytes=64 * 1024**2)
    await shop.get("/first")
    tracemalloc.start()
    before, told_before = tracemalloc.get_traced_memory()[0], shop.cache.bytes
    for each in range(number):
        shop.value, shop.tags = str(each).rjust(size, "x"), (f"thing_{each}",)
        await shop.get(f"/things?n={each}")
    gc.collect()
    taken, told = tracemalloc.get_traced_memory()[0] - before, shop.cache.bytes - told_before
    tracemalloc.stop()

    assert taken <= told <= 2 * taken


async def test_answer_that_takes_too_much_room_is_not_kept() -> None:
    shop = Shop(limit_bytes=100_000)
    shop.value = "x" * 12_500

    assert [(await shop.get()).told for _ in range(2)] == [MADE, MADE]
    assert shop.cache.bytes == 0


async def test_storm_of_changes_leaves_no_more_than_what_is_for_errors() -> None:
    shop = Shop()

    async def read(number: int) -> Got:
        return await shop.get(f"/things?n={number % 20}")

    for turn in range(100):
        shop.tags = ("thing", f"t{turn % 7}")
        tasks = [asyncio.create_task(read(number)) for number in range(20)]
        shop.cache.purge((f"t{turn % 5}", f"t{turn % 3}"))
        await asyncio.gather(*tasks)
    shop.cache.purge(("thing",))

    assert (len(shop.cache), shop.cache.bytes) == (0, sum(entry.size for entry in shop.cache._outdated.values()))
    assert shop.cache._by_tag == {}
    assert shop.cache._purged == {}
    async with shop.cache:
        pass
    assert (shop.cache.bytes, shop.cache._outdated, shop.cache._failed) == (0, {}, {})
    assert shop.cache._flights == {}
