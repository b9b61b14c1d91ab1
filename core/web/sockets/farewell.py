"""The last frame before the server stops."""

import random

from core.web.sockets.frames import Reconnect

_RETRY_MS = (500, 5000)


def reconnect(cursors: dict[str, str | None]) -> Reconnect:
    """With where to go on, channel by channel. Ids of events sort as the log does."""
    known = [cursor for cursor in cursors.values() if cursor is not None]
    return Reconnect(after=min(known, default=None), cursors=cursors, retry_ms=random.randint(*_RETRY_MS))  # noqa: S311
