"""What a process knows of what others may change."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from core.hub import Hub
from core.recurring import Periodic, Recurring


class Looking(Periodic, ABC):
    """Looks every `look_seconds`, and at once when the hub tells of `topic`."""

    def __init__(self, name: str, hub: Hub, topic: str, look_seconds: float) -> None:
        super().__init__(Recurring(name, self._turn))
        self._hub = hub
        self._topic = topic
        self._look_seconds = look_seconds

    async def __aenter__(self) -> Self:
        self._leave = self._hub.subscribe(self._topic, self._heard)
        return await super().__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()
        await super().__aexit__(kind, error, trace)

    @abstractmethod
    async def look(self) -> None:
        """Raises DatabaseUnavailable."""

    def _heard(self) -> None:
        self._recurring.wake()

    async def _turn(self) -> float:
        await self.look()
        return self._look_seconds
