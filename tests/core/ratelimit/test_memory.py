"""What counting in this process does beside its contract: it forgets."""

import asyncio

from core.ratelimit import Limit
from core.ratelimit.memory import MemoryLimiter

LOGIN = Limit("login", 3, 60)


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
