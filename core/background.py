"""Small work that no request waits for, and that may be lost: what it fails with is logged, nothing more."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog

log = structlog.get_logger("portico.background")
_REMEMBERED = 10_000


class Background:
    """Per process. What matters is a job, not this."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()
        self._began: dict[str, datetime] = {}

    def start(self, name: str, work: Callable[[], Awaitable[object]], *, now: datetime, rest: timedelta) -> None:
        """Begins it, unless work of this name began less than `rest` ago."""
        began = self._began.get(name)
        if began is not None and now - began < rest:
            return
        if len(self._began) >= _REMEMBERED:
            self._began = {other: since for other, since in self._began.items() if now - since < rest}
        self._began[name] = now
        task = asyncio.create_task(attempt(name, work))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def settle(self) -> None:
        """Waits until nothing runs: before what the work needs is closed."""
        while self._running:
            await asyncio.wait(self._running)


async def attempt(name: str, work: Callable[[], Awaitable[object]]) -> None:
    try:
        await work()
    except Exception as error:  # noqa: BLE001  nobody is there to be told
        log.warning("background_work_failed", work=name, reason=f"{type(error).__name__}: {error}")
