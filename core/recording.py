"""What a process keeps in memory, so that no request waits for it, and writes down beside them."""

import asyncio
from abc import ABC, abstractmethod
from contextlib import suppress
from types import TracebackType

from core.background import attempt
from core.recurring import Periodic, Recurring

_END_SECONDS = 5.0


class Recording(Periodic, ABC):
    """Writes every `flush_seconds`, and once more at the end, which waits five seconds for that."""

    def __init__(self, name: str, flush_seconds: float) -> None:
        super().__init__(Recurring(name, self._turn, again_seconds=flush_seconds))
        self._name = name
        self._flush_seconds = flush_seconds

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, trace)
        with suppress(TimeoutError):
            async with asyncio.timeout(_END_SECONDS):
                await attempt(self._name, self.flush)

    @abstractmethod
    async def flush(self) -> None:
        """Writes down what there is. Raises DatabaseUnavailable, and then has it still."""

    async def _turn(self) -> float:
        await self.flush()
        return self._flush_seconds
