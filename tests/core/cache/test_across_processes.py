"""Several processes that keep objects in one Redis."""

import asyncio
import sys

from tests.fixtures.processes import ROOT

PROCESSES = 3


async def test_three_processes_that_ask_at_once_make_an_object_once(redis_url: str, shop: bytes) -> None:
    command = (sys.executable, "-m", "tests.core.cache.making_program", redis_url, shop.decode())
    pipe = asyncio.subprocess.PIPE
    running = [
        await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=pipe, stdout=pipe) for _ in range(PROCESSES)
    ]
    async with asyncio.timeout(60):
        for process in running:
            assert process.stdout is not None
            assert await process.stdout.readline() == b"ready\n"
        told = await asyncio.gather(*(process.communicate(b"\n") for process in running))

    made, found = zip(*(map(int, out.split()) for out, _ in told), strict=True)
    assert (sum(made), found) == (1, (20, 20, 20))
