"""What every limiter does, wherever it counts."""

import asyncio
from dataclasses import replace

import pytest

from core.ids import new_id
from core.ratelimit import Hit, Limit, Limiter, Verdict, seconds_until
from tests.factories.clocks import MINUTE, StillTime


async def test_so_many_are_allowed_and_not_one_more(limiter: Limiter, exact: Limit) -> None:
    verdicts = [await limiter.hit(exact, "ada") for _ in range(5)]

    assert [(verdict.allowed, verdict.remaining) for verdict in verdicts] == [
        (True, 2),
        (True, 1),
        (True, 0),
        (False, 0),
        (False, 0),
    ]
    assert {59 <= verdict.reset_seconds <= 60 for verdict in verdicts} == {True}
    assert {verdict.limit for verdict in verdicts} == {exact}


@pytest.mark.parametrize("smoothed", [False, True])
async def test_so_many_are_allowed_when_all_come_at_once(limiter: Limiter, smoothed: bool) -> None:
    limit = Limit(new_id("login"), 10, 60, smoothed=smoothed)

    verdicts = await asyncio.gather(*(limiter.hit(limit, "ada") for _ in range(50)))

    assert sum(verdict.allowed for verdict in verdicts) == 10


async def test_looking_counts_nothing(limiter: Limiter, exact: Limit, smooth: Limit) -> None:
    for limit in (exact, smooth):
        looks = [await limiter.peek(limit, "ada") for _ in range(5)]
        await limiter.hit(limit, "ada")

        assert looks == [Verdict(True, limit.amount, 60, limit)] * 5
        assert (await limiter.peek(limit, "ada")).remaining == limit.amount - 1


async def test_look_at_a_limit_that_is_used_up_says_so(limiter: Limiter, exact: Limit, smooth: Limit) -> None:
    await limiter.hit(exact, "ada", 3)
    await limiter.hit(smooth, "ada", 1000)

    verdicts = [await limiter.peek(limit, "ada") for limit in (exact, smooth)]

    assert [(verdict.allowed, verdict.remaining) for verdict in verdicts] == [(False, 0)] * 2
    assert verdicts[1].reset_seconds == 61


async def test_keys_and_limits_do_not_know_each_other(limiter: Limiter, exact: Limit, smooth: Limit) -> None:
    for limit in (exact, smooth):
        await limiter.hit(limit, "ada", limit.amount)
        other = replace(limit, name=new_id("other"))

        assert (await limiter.hit(limit, "bob")).remaining == limit.amount - 1
        assert (await limiter.hit(other, "ada")).remaining == limit.amount - 1
        assert (await limiter.hit(limit, "ada")).allowed is False


async def test_cleared_key_starts_anew_and_others_do_not(limiter: Limiter, exact: Limit, smooth: Limit) -> None:
    for limit in (exact, smooth):
        await limiter.hit(limit, "ada", limit.amount)
        await limiter.hit(limit, "bob")

        await limiter.clear(limit, "ada")
        await limiter.clear(limit, "nobody")

        assert (await limiter.hit(limit, "ada")).remaining == limit.amount - 1
        assert (await limiter.hit(limit, "bob")).remaining == limit.amount - 2


async def test_several_are_counted_at_once_or_not_at_all(limiter: Limiter, smooth: Limit) -> None:
    exact = Limit(new_id("tries"), 10, 60)
    for limit, costs in ((exact, (8, 3, 2)), (smooth, (998, 3, 2))):
        verdicts = [await limiter.hit(limit, "ada", cost) for cost in costs]

        assert [(verdict.allowed, verdict.remaining) for verdict in verdicts] == [(True, 2), (False, 2), (True, 0)]


async def test_nothing_may_be_counted_where_nothing_is_left(limiter: Limiter, smooth: Limit) -> None:
    await limiter.hit(smooth, "ada", 1000)

    assert await limiter.hit(smooth, "ada", 0) == Verdict(True, 0, 60, smooth)


async def test_what_was_counted_fades_in_the_window_after(limiter: Limiter, smooth: Limit, time: StillTime) -> None:
    await limiter.hit(smooth, "ada", 1000)
    left = []
    for seconds in (59.9, 60, 75, 90, 120):
        time.now = MINUTE + seconds
        left.append((await limiter.hit(smooth, "ada", 0)).remaining)

    assert left == [0, 0, 250, 500, 1000]


async def test_window_that_is_long_over_is_forgotten(limiter: Limiter, smooth: Limit, time: StillTime) -> None:
    await limiter.hit(smooth, "ada", 1000)
    time.now += 600

    assert (await limiter.hit(smooth, "ada", 1000)).allowed


@pytest.mark.parametrize(
    ("spent_at", "asked_at", "points"), [(0, 0, 1), (0, 59, 1000), (0, 75, 300), (40, 50, 10), (40, 61, 1000)]
)
async def test_refusal_names_the_seconds_after_which_it_would_be_allowed(
    limiter: Limiter, smooth: Limit, time: StillTime, spent_at: float, asked_at: float, points: int
) -> None:
    time.now = MINUTE + spent_at
    await limiter.hit(smooth, "ada", 1000)
    time.now = MINUTE + asked_at
    refused = await limiter.hit(smooth, "ada", points)

    time.now += refused.reset_seconds - 1.001
    early = await limiter.hit(smooth, "ada", points)
    time.now += 1.001
    late = await limiter.hit(smooth, "ada", points)

    assert (refused.allowed, early.allowed, late.allowed) == (False, False, True)


@pytest.mark.parametrize("full", [0, 1])
async def test_of_several_limits_none_counts_where_one_refuses(limiter: Limiter, smooth: Limit, full: int) -> None:
    other = replace(smooth, name=new_id("other"), amount=10)
    hits = [Hit(smooth, "ada", 400), Hit(other, "10.0.0.1", 4)]
    await limiter.hit(hits[full].limit, hits[full].key, hits[full].limit.amount)

    verdicts = await limiter.hit_all(hits)

    assert [verdict.allowed for verdict in verdicts] == [full != 0, full != 1]
    free = hits[1 - full]
    assert (await limiter.peek(free.limit, free.key)).remaining == free.limit.amount
    assert (await limiter.peek(hits[full].limit, hits[full].key)).remaining == 0


async def test_of_several_limits_all_count_where_all_allow(limiter: Limiter, smooth: Limit) -> None:
    other = Limit(new_id("other"), 10, 3600, smoothed=True)

    verdicts = await limiter.hit_all([Hit(smooth, "ada", 400), Hit(other, "10.0.0.1", 4)])

    assert verdicts == [Verdict(True, 600, 60, smooth), Verdict(True, 6, 3600, other)]
    assert [(await limiter.peek(limit, key)).remaining for limit, key in ((smooth, "ada"), (other, "10.0.0.1"))] == [
        600,
        6,
    ]


async def test_several_limits_are_exact_when_all_come_at_once(limiter: Limiter, smooth: Limit) -> None:
    narrow = replace(smooth, name=new_id("narrow"), amount=10)

    found = await asyncio.gather(*(limiter.hit_all([Hit(smooth, "ada"), Hit(narrow, "ada")]) for _ in range(40)))

    assert sum(all(verdict.allowed for verdict in verdicts) for verdicts in found) == 10
    assert (await limiter.peek(smooth, "ada")).remaining == 990


async def test_limit_that_changes_keeps_what_was_counted(limiter: Limiter, smooth: Limit) -> None:
    await limiter.hit(smooth, "ada", 1000)
    wider, narrower = replace(smooth, amount=1500), replace(smooth, amount=100)

    assert (await limiter.hit(wider, "ada", 100)).remaining == 400
    assert await limiter.hit(narrower, "ada") == Verdict(False, 0, 115, narrower)


def test_more_than_there_ever_is_has_to_wait_for_ever() -> None:
    limit = Limit("points", 100, 60, smoothed=True)

    assert seconds_until(limit, 101, before=0, left=30.0, within=0) == 91
