"""A process tells the metrics how it is."""

import asyncio
import time

from prometheus_client import REGISTRY

from core.process import watching


def told(name: str) -> float:
    return REGISTRY.get_sample_value(f"portico_process_{name}") or 0.0


async def test_process_tells_how_much_it_holds_and_has_taken() -> None:
    turned = asyncio.Event()

    async with watching(turned.set):
        await turned.wait()

    assert 10_000_000 < told("resident_bytes") < 4_000_000_000
    assert 3 <= told("open_files") <= told("max_open_files")
    assert told("cpu_seconds_total") > 0


async def test_time_of_the_processor_is_counted_once() -> None:
    turned = asyncio.Event()

    async with watching(turned.set) as recurring:
        await turned.wait()
        before = told("cpu_seconds_total")
        turned.clear()
        recurring.wake()
        await turned.wait()

    assert before <= told("cpu_seconds_total") <= time.process_time()
