"""What ends a question that does not end by itself: its time, and whoever stops the benchmark."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class TooLong(KeyboardInterrupt):
    """It took longer than it may. Of this kind because an event loop hands no other out of a callback."""


@contextmanager
def at_most_seconds(seconds: float) -> Iterator[None]:
    """Raises TooLong inside the block when its time is over, so that the block ends what it has started."""

    def end(_signal: int, _frame: FrameType | None) -> None:
        raise TooLong(f"it took longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def end_in_order() -> None:
    """SIGTERM ends as Ctrl-C does: each block first ends what it has started."""

    def end(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, end)
