"""Where the database is away the answer of before is given, marked; and one request at a time finds out."""

import asyncio

import pytest
from starlette.types import Scope

from core.context import RequestContext, current_request, enter_request
from core.web.response_cache import metrics
from tests.core.web.response_cache.kept import Got, Shop

CHANGED = "fwd=stale; fwd-status=503; detail=changed"


async def get(shop: Shop, *headers: tuple[bytes, bytes], method: str = "GET") -> Got:
    enter_request(RequestContext("request", "trace", "span", sampled=False))
    return await shop.get("/things", *headers, method=method)


def fail(shop: Shop, code: str = "database_unavailable") -> None:
    def act(_scope: Scope) -> None:
        context = current_request()
        assert context is not None
        context.error_code = code

    shop.act, shop.status, shop.tags, shop.value = act, 503, None, "away"


def mend(shop: Shop, value: str) -> None:
    shop.act, shop.status, shop.tags, shop.value = lambda _scope: None, 200, ("thing",), value


@pytest.fixture
async def shop() -> Shop:
    """Which has answered once."""
    shop = Shop()
    await get(shop)
    return shop


async def test_answer_that_was_ended_by_a_change_is_given_and_says_so(shop: Shop) -> None:
    before = metrics.ON_ERROR._value.get()
    shop.time += 7
    shop.cache.purge(("thing",))
    fail(shop)

    got = await get(shop)

    assert (got.status, got.body, got.told, got.headers[b"age"]) == (200, b"one", CHANGED, b"7")
    assert metrics.ON_ERROR._value.get() == before + 1


async def test_answer_that_is_old_is_given_and_says_so(shop: Shop) -> None:
    shop.time += 100
    fail(shop)

    first = await get(shop)
    await shop.cache.settle()
    second = await get(shop)

    assert (first.told, second.told) == ("hit; ttl=-40", "fwd=stale; fwd-status=503; ttl=-40")
    assert (second.status, second.body) == (200, b"one")


@pytest.mark.parametrize(("method", "header"), [("HEAD", (b"x", b"y")), ("GET", (b"if-none-match", b'W/"0"'))])
async def test_who_asks_otherwise_is_given_it_too(shop: Shop, method: str, header: tuple[bytes, bytes]) -> None:
    shop.cache.purge(("thing",))
    fail(shop)

    got = await get(shop, header, method=method)

    assert (got.status, got.told) == (200, CHANGED)


async def test_error_stays_one_where_nothing_is_left() -> None:
    shop = Shop()
    fail(shop)

    got = await get(shop)

    assert (got.status, got.body) == (503, b"away")


async def test_answer_of_eleven_minutes_ago_is_not_given(shop: Shop) -> None:
    shop.cache.purge(("thing",))
    shop.time += 661
    fail(shop)

    got = await get(shop)

    assert (got.status, got.body) == (503, b"away")
    assert shop.cache.bytes == 0


@pytest.mark.parametrize("code", ["overloaded", "internal_error"])
async def test_other_errors_are_not_hidden(shop: Shop, code: str) -> None:
    shop.cache.purge(("thing",))
    fail(shop, code)

    assert (await get(shop)).status == 503


async def test_what_is_gone_is_not_given_when_the_database_goes_too(shop: Shop) -> None:
    shop.cache.purge(("thing",))
    shop.status, shop.tags = 404, None
    gone = await get(shop)
    fail(shop)

    got = await get(shop)

    assert (gone.status, got.status) == (404, 503)


async def test_answer_that_was_made_since_takes_the_place_of_the_one_before(shop: Shop) -> None:
    shop.cache.purge(("thing",))
    mend(shop, "two")
    await get(shop)
    shop.cache.purge(("thing",))
    fail(shop)

    assert (await get(shop)).body == b"two"


async def test_one_request_finds_out_and_no_herd(shop: Shop) -> None:
    shop.cache.purge(("thing",))
    fail(shop)
    enter_request(RequestContext("request", "trace", "span", sampled=False))
    first = await shop.begun()
    others = [asyncio.create_task(get(shop)) for _ in range(20)]
    await asyncio.sleep(0)
    shop.open.set()

    told = [got.told for got in await asyncio.gather(first, *others)]

    assert told == [CHANGED] * 21
    assert shop.made == 2


async def test_nobody_tries_again_for_a_second_nor_waits_for_who_does(shop: Shop) -> None:
    shop.cache.purge(("thing",))
    fail(shop)
    await get(shop)
    at_once = await get(shop)
    made = [shop.made]
    shop.time += 1
    probe = await shop.begun()  # and hangs

    meanwhile = await get(shop)

    made.append(shop.made)
    shop.open.set()
    await probe
    assert (at_once.told, meanwhile.told) == (CHANGED, CHANGED)
    assert made == [2, 3]


async def test_who_reads_after_a_write_is_given_nothing_of_before_it(shop: Shop) -> None:
    """A write that was answered says that the database is there, so there is no rest."""
    shop.cache.purge(("thing",))
    fail(shop)
    await get(shop)
    mend(shop, "two")

    shop.cache.purge(("thing",))
    got = await get(shop)

    assert (got.body, got.told) == (b"two", "fwd=uri-miss; stored")


async def test_what_is_outdated_makes_room_first(shop: Shop) -> None:
    size = shop.cache.bytes
    shop.cache.purge(("thing",))
    assert (len(shop.cache), shop.cache.bytes) == (0, size)
    shop.tags = ("other",)

    shop.cache.limit_bytes = 9 * size
    for number in range(9):
        await shop.get(f"/things/{number}")

    assert len(shop.cache) >= 8
    assert shop.cache.bytes <= shop.cache.limit_bytes
    fail(shop)
    assert (await get(shop)).status == 503
