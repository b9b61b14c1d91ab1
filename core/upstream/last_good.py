"""The last good answers of an upstream, for when it does not answer."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from core.upstream.calls import Reply

MOST = 1_000
AGE_SECONDS = 3600.0


class LastGood:
    """Per process and upstream: the newest answer to each of the last questions, as long as it is not too old."""

    def __init__(self, now: Callable[[], float], *, most: int = MOST, age_seconds: float = AGE_SECONDS) -> None:
        self._now = now
        self._most = most
        self._age_seconds = age_seconds
        self._kept: OrderedDict[bytes, tuple[float, Any]] = OrderedDict()

    def keep(self, question: bytes, value: Any) -> None:
        self._kept[question] = (self._now(), value)
        self._kept.move_to_end(question)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def find(self, question: bytes) -> Reply[Any] | None:
        found = self._kept.get(question)
        if found is None:
            return None
        age = self._now() - found[0]
        if age > self._age_seconds:
            del self._kept[question]
            return None
        return Reply(found[1], age)
