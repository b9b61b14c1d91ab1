"""What is made of documents, remembered by their text. What strangers send pushes out no registered operation."""

from collections.abc import Callable
from functools import lru_cache
from typing import Generic, ParamSpec, TypeVar

from graphql import GraphQLError

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
    """Per process: the results of a function of hashable arguments, that at `position` being a document's text; what is
    wrong with the document, where it raises GraphQLError, is a result too.
    """

    def __init__(self, make: Callable[P, T], position: int) -> None:
        def made(*args: P.args, **kwargs: P.kwargs) -> T | GraphQLError:
            try:
                return make(*args, **kwargs)
            except GraphQLError as error:
                return error

        self._position = position
        self.strangers = lru_cache(_STRANGERS)(made)
        self.registered = lru_cache(REGISTERED)(made)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        cache = self.registered if _kept.get(str(args[self._position])) else self.strangers
        found = cache(*args, **kwargs)  # type: ignore[arg-type]  # hashable, as the class says
        if isinstance(found, GraphQLError):
            raise found.with_traceback(None)
        return found


def by_text(position: int = 0) -> Callable[[Callable[P, T]], ByText[P, T]]:
    return lambda make: ByText(make, position)
