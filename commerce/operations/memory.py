"""What a process remembers, within a bound."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Memory(Generic[T]):
    """By key, at most `room` in sizes together; what was asked for longest ago goes first."""

    def __init__(self, room: int) -> None:
        self._left = room
        self._kept: OrderedDict[Hashable, tuple[T, int]] = OrderedDict()

    def get(self, key: Hashable) -> T | None:
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept.move_to_end(key)
        return found[0]

    def put(self, key: Hashable, value: T, size: int) -> None:
        self.forget(key)
        self._kept[key] = (value, size)
        self._left -= size
        while self._left < 0:
            _, (_, freed) = self._kept.popitem(last=False)
            self._left += freed

    def forget(self, key: Hashable) -> None:
        _, freed = self._kept.pop(key, (None, 0))
        self._left += freed

    def clear(self) -> None:
        for key in tuple(self._kept):
            self.forget(key)
