"""Hits limits of one Redis as fast as it can: arguments are its URL, and a marker of the limits. When all that was
asked for is answered it prints how many of each were allowed.
"""

import asyncio
import sys

from core.ratelimit import Hit, Limit
from core.ratelimit.redis import RedisLimiter

TRIES = 100
AMOUNT = 120  # of three processes' 300 tries
# Its window began long ago and ends in long: none does while a test runs.
SECONDS = 1_000_000_000


def limits_of(marker: str) -> tuple[Limit, Limit, Limit]:
    """Smoothed, exact, and one that is asked for together with another that is wide."""
    return (
        Limit(f"{marker}-smooth", AMOUNT, SECONDS, smoothed=True),
        Limit(f"{marker}-exact", AMOUNT, 900),
        Limit(f"{marker}-pair", AMOUNT, SECONDS, smoothed=True),
    )


async def main(url: str, marker: str) -> None:
    smooth, exact, pair = limits_of(marker)
    wide = Limit(f"{marker}-wide", 10**9, SECONDS, smoothed=True)
    async with RedisLimiter(url, answer_seconds=30) as limiter:
        print("ready", flush=True)  # noqa: T201
        await asyncio.to_thread(sys.stdin.readline)
        smoothed = await asyncio.gather(*(limiter.hit(smooth, "storm") for _ in range(TRIES)))
        calm = await asyncio.gather(*(limiter.hit(smooth, "calm") for _ in range(AMOUNT // 3)))
        exactly = await asyncio.gather(*(limiter.hit(exact, "storm") for _ in range(TRIES)))
        pairs = await asyncio.gather(*(limiter.hit_all([Hit(pair, "storm"), Hit(wide, "storm")]) for _ in range(TRIES)))
    allowed = [sum(each.allowed for each in found) for found in (smoothed, calm, exactly)]
    print("allowed", *allowed, sum(all(each.allowed for each in found) for found in pairs), flush=True)  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
