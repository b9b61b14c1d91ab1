"""What is made of documents, remembered by their text. What strangers send pushes out no registered operation."""

from collections.abc import Callable
from functools import lru_cache
from typing import Generic, ParamSpec, TypeVar

from commerce.operations.memory import Memory

P = ParamSpec("P")
T = TypeVar("T")
_STRANGERS = 256
REGISTERED = 2_000
_kept: Memory[bool] = Memory(REGISTERED)


def keep(text: str) -> None:
    """Its client has registered it."""
    _kept.put(text, True, 1)


class ByText(Generic[P, T]):
    """Per process: the results of a function of hashable arguments, that at `position` being a document's text."""

    def __init__(self, make: Callable[P, T], position: int) -> None:
        self._position = position
        self.strangers = lru_cache(_STRANGERS)(make)
        self.registered = lru_cache(REGISTERED)(make)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        cache = self.registered if _kept.get(str(args[self._position])) else self.strangers
        return cache(*args, **kwargs)  # type: ignore[arg-type]  # hashable, as the class says


def by_text(position: int = 0) -> Callable[[Callable[P, T]], ByText[P, T]]:
    return lambda make: ByText(make, position)
