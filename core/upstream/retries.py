"""How often an upstream may be asked again: a share of what it is asked, so that retries never make an outage worse."""

_TOKEN = 10  # a question earns one part of ten: one retry to ten questions
_MOST = 10 * _TOKEN


class RetryBudget:
    """Per process and upstream. One is there from the start."""

    def __init__(self) -> None:
        self._parts = _TOKEN

    def earn(self) -> None:
        self._parts = min(_MOST, self._parts + 1)

    def take(self) -> bool:
        """Whether there was one left."""
        if self._parts < _TOKEN:
            return False
        self._parts -= _TOKEN
        return True
