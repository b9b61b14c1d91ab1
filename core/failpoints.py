"""Where a process dies on purpose: for the tests that prove what a kill -9 leaves behind. Settings refuse it elsewhere.

`PORTICO_FAILPOINT=PlaceOrder:3` kills the process before the third statement (BEGIN and COMMIT count) that the writer
is given for the command `PlaceOrder`.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from sqlalchemy import event

from core.database import Database

_command: ContextVar[str | None] = ContextVar("portico_command", default=None)


@contextmanager
def running(command: str) -> Iterator[None]:
    """What runs inside is done for this command."""
    token = _command.set(command)
    try:
        yield
    finally:
        _command.reset(token)


def arm(database: Database, failpoint: str) -> None:
    """Raises ValueError for a failpoint that is not written `Command:number`."""
    wanted, _, number = failpoint.partition(":")
    left = int(number)

    def step(*_: object, **__: object) -> None:
        nonlocal left
        if _command.get() == wanted:
            left -= 1
            if left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)

    engine = database.writer.sync_engine
    # The last is after the COMMIT, when nobody has been answered yet.
    for name in ("begin", "before_cursor_execute", "commit", "checkin"):
        event.listen(engine, name, step)
