"""The loop's lag is what its timer is late by, and fades when it no longer is."""

import asyncio
import time

from prometheus_client import REGISTRY

from core.loop_lag import LoopLag


def rings() -> float:
    return REGISTRY.get_sample_value("portico_event_loop_lag_seconds_count") or 0.0


async def test_loop_that_was_held_up_lags_until_that_has_faded() -> None:
    rang = asyncio.Event()
    lag = LoopLag(rang.set, period=0.001)
    before = rings()

    lag.start()
    time.sleep(0.05)  # noqa: ASYNC251  what must not happen
    seen_before_the_ring = lag.lags
    await rang.wait()
    seen_after_it = lag.seconds
    while lag.lags:
        rang.clear()
        await rang.wait()
    lag.stop()

    assert seen_before_the_ring
    assert seen_after_it >= 0.045
    assert rings() - before >= 2


async def test_nothing_is_measured_before_the_start_nor_after_the_stop() -> None:
    lag = LoopLag(period=0.001)
    before = rings()

    lag.start()
    lag.stop()
    time.sleep(0.03)  # noqa: ASYNC251  what must not happen
    await asyncio.sleep(0)

    assert lag.seconds == 0
    assert rings() == before


async def test_loop_is_measured_from_when_the_server_serves() -> None:
    serving, rang = asyncio.Event(), asyncio.Event()
    before = rings()

    async with LoopLag(rang.set, period=0.001).measured(serving):
        await asyncio.sleep(0.01)
        unmeasured = rings()
        serving.set()
        await rang.wait()

    assert unmeasured == before
    assert rings() > before
