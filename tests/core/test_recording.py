"""What is kept in memory is written down in the end, and the end waits for that a bounded time."""

import asyncio

import pytest

import core.recording
from core.recording import Recording


class Kept(Recording):
    def __init__(self, *, lets_go: bool) -> None:
        super().__init__("kept", 3600.0)
        self.flushes = 0
        self._go = asyncio.Event()
        if lets_go:
            self._go.set()

    async def flush(self) -> None:
        self.flushes += 1
        await self._go.wait()

    async def _turn(self) -> float:
        return 3600.0


async def test_what_there_is_is_written_down_once_more_in_the_end() -> None:
    async with Kept(lets_go=True) as kept:
        before = kept.flushes

    assert (before, kept.flushes) == (0, 1)


async def test_end_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core.recording, "_END_SECONDS", 0.01)

    async with asyncio.timeout(60), Kept(lets_go=False) as kept:
        before = kept.flushes

    assert (before, kept.flushes) == (0, 1)
