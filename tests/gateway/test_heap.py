"""What lives as long as its process is not looked through by each full garbage collection."""

import gc

import pytest
import uvicorn

from gateway import heap
from gateway.heap import settle_again
from gateway.server import WARM_TICKS, DrainingServer


async def nothing(*_: object) -> None: ...


async def test_what_the_first_seconds_made_is_kept_from_the_collector_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap, "settle_again", settle_again)
    server = DrainingServer(uvicorn.Config(nothing, log_config=None))
    made = [[number] for number in range(1_000)]
    at_first = gc.get_freeze_count()

    await server.on_tick(WARM_TICKS - 1)
    before = gc.get_freeze_count()
    await server.on_tick(WARM_TICKS)
    settled = gc.get_freeze_count()
    await server.on_tick(WARM_TICKS + 1)

    assert before <= at_first
    assert settled > before + len(made)
    assert gc.get_freeze_count() <= settled
