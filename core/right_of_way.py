"""Who goes first in the event loop that all audiences share: while they are on their way, others begin nothing long."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PATIENCE_SECONDS = 0.02


class RightOfWay:
    """Per process, in its event loop. Who gives way does so for `patience` seconds, so that no stream of others keeps
    it off for ever.
    """

    def __init__(self, patience: float = PATIENCE_SECONDS) -> None:
        self._patience = patience
        self._going = 0
        self._waiting: dict[Callable[[], None], asyncio.TimerHandle] = {}

    @property
    def is_taken(self) -> bool:
        return self._going > 0

    def enter(self) -> None:
        """Each ends with `leave`."""
        self._going += 1

    def leave(self) -> None:
        self._going -= 1
        if not self._going:
            waiting, self._waiting = self._waiting, {}
            for go, alarm in waiting.items():
                alarm.cancel()
                asyncio.get_running_loop().call_soon(go)

    @contextmanager
    def taken(self) -> Iterator[None]:
        self.enter()
        try:
            yield
        finally:
            self.leave()

    def give(self, go: Callable[[], None]) -> None:
        """Calls `go` when nobody goes first any more, or when patience ends. Until then it is not given again."""
        self._waiting[go] = asyncio.get_running_loop().call_later(self._patience, self._end_patience, go)

    def _end_patience(self, go: Callable[[], None]) -> None:
        del self._waiting[go]
        go()
