"""What it costs to note where requests spend their time (`/internal/receipts`): CPU of a request with it to one
without, in this process's own loop.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from pathlib import Path

import core.receipts
import gateway.middleware
from benchmarks.layers import Call, caller, cpu_us, filled, in_this_process, serving
from benchmarks.report import Row, at_most

ROUNDS = 120
MOST = 1.03


def run() -> list[Row]:
    return in_this_process(_measured)


async def _measured(folder: Path) -> list[Row]:
    path = f"/public/v1/products/{await filled(folder / 'portico.db')}"
    rows = []
    for what, cache_mb in (("an answer of the cache", 64), ("a product that is read", 0)):
        async with serving(folder, cache_mb=cache_mb) as (root, state):
            rows.append(at_most(what, await _ratio(caller(root, path, state)), "x", MOST))
    return rows


async def _ratio(call: Call) -> float:
    """Of the least of many short rounds, in turns: what others do only adds."""
    await call()
    noted = plain = inf
    for _ in range(ROUNDS):
        noted = min(noted, await cpu_us(call))
        with _nothing_noted():
            plain = min(plain, await cpu_us(call))
    return noted / plain


@contextmanager
def _nothing_noted() -> Iterator[None]:
    """Where all notes end, and where a receipt is made of them."""
    kept = core.receipts._notes, gateway.middleware._keep  # noqa: SLF001
    core.receipts._notes = lambda: None  # noqa: SLF001
    gateway.middleware._keep = lambda *_, **__: None  # noqa: SLF001
    yield
    core.receipts._notes, gateway.middleware._keep = kept  # noqa: SLF001
