"""Asks for one object of a Redis, when it is told to: arguments are its URL and the shop. It prints
how often it made it, and how often it got it.
"""

import asyncio
import sys
from hashlib import sha256

from core.cache.objects import Kind, ObjectCache
from core.cache.store import Store
from core.single_flight import SingleFlight


async def main(url: str, shop: str) -> None:
    made = 0

    async def newest() -> int:
        return 1

    async def make() -> list[str]:
        nonlocal made
        made += 1
        await asyncio.sleep(0.2)  # for which the others find it claimed
        return ["made", "once"]

    async with Store(url, answer_seconds=20) as store:
        cache = ObjectCache(store, lambda key: sha256(shop.encode() + key).digest(), newest, SingleFlight())
        cache.heard = lambda: 1
        kind = Kind("list", list[str])
        await cache.get(Kind("warm", list[str]), b"", (), make)
        made = 0
        print("ready", flush=True)  # noqa: T201
        await asyncio.to_thread(sys.stdin.readline)
        found = await asyncio.gather(*(cache.get(kind, b"key", ("tag",), make) for _ in range(20)))
    print(made, sum(each == ["made", "once"] for each in found), flush=True)  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
