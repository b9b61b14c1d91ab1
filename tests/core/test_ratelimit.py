import asyncio

from core.ratelimit import Limit, Verdict
from core.ratelimit.memory import MemoryLimiter

LOGIN = Limit("login", 3, 60)


async def test_so_many_are_allowed_and_not_one_more() -> None:
    limiter = MemoryLimiter()

    verdicts = [await limiter.hit(LOGIN, "ada") for _ in range(5)]

    assert [(verdict.allowed, verdict.remaining) for verdict in verdicts] == [
        (True, 2),
        (True, 1),
        (True, 0),
        (False, 0),
        (False, 0),
    ]
    assert {59 <= verdict.reset_seconds <= 60 for verdict in verdicts} == {True}


async def test_so_many_are_allowed_when_all_come_at_once() -> None:
    limiter = MemoryLimiter()
    limit = Limit("login", 10, 60)

    verdicts = await asyncio.gather(*(limiter.hit(limit, "ada") for _ in range(50)))

    assert sum(verdict.allowed for verdict in verdicts) == 10


async def test_looking_counts_nothing() -> None:
    limiter = MemoryLimiter()

    looks = [await limiter.peek(LOGIN, "ada") for _ in range(5)]
    await limiter.hit(LOGIN, "ada")

    assert looks == [Verdict(allowed=True, remaining=3, reset_seconds=60, limit=LOGIN)] * 5
    assert (await limiter.peek(LOGIN, "ada")).remaining == 2


async def test_look_at_a_limit_that_is_used_up_says_so() -> None:
    limiter = MemoryLimiter()
    for _ in range(3):
        await limiter.hit(LOGIN, "ada")

    verdict = await limiter.peek(LOGIN, "ada")

    assert (verdict.allowed, verdict.remaining) == (False, 0)


async def test_keys_do_not_know_each_other() -> None:
    limiter = MemoryLimiter()
    for _ in range(3):
        await limiter.hit(LOGIN, "ada")

    assert (await limiter.hit(LOGIN, "bob")).remaining == 2
    assert (await limiter.hit(LOGIN, "ada")).allowed is False


async def test_limits_do_not_know_each_other() -> None:
    limiter = MemoryLimiter()
    for _ in range(3):
        await limiter.hit(LOGIN, "ada")

    assert (await limiter.hit(Limit("register", 3, 60), "ada")).remaining == 2


async def test_cleared_key_starts_anew_and_others_do_not() -> None:
    limiter = MemoryLimiter()
    for key in ("ada", "ada", "ada", "bob"):
        await limiter.hit(LOGIN, key)

    await limiter.clear(LOGIN, "ada")
    await limiter.clear(LOGIN, "nobody")

    assert (await limiter.hit(LOGIN, "ada")).remaining == 2
    assert (await limiter.hit(LOGIN, "bob")).remaining == 1


async def test_window_moves_on() -> None:
    limiter = MemoryLimiter()
    limit = Limit("login", 2, 2)
    await limiter.hit(limit, "ada")
    await asyncio.sleep(1)
    await limiter.hit(limit, "ada")
    assert (await limiter.hit(limit, "ada")).allowed is False

    await asyncio.sleep(1.2)

    verdict = await limiter.hit(limit, "ada")
    assert (verdict.allowed, verdict.remaining) == (True, 0)  # the second one still counts


async def test_keys_whose_windows_are_over_are_not_kept() -> None:
    limiter = MemoryLimiter()
    storage = limiter._exact.storage
    await limiter.hit(LOGIN, "stays")
    for number in range(100):
        await limiter.hit(Limit("login", 5, 1), f"address-{number}")
    await asyncio.sleep(1.1)

    storage._swept -= 61  # type: ignore[attr-defined]
    await limiter.hit(LOGIN, "new")

    assert len(storage._windows) == 2  # type: ignore[attr-defined]
    assert (await limiter.peek(LOGIN, "stays")).remaining == 2
