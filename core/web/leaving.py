"""Work that is for one client alone, and so ends when the client leaves."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect
from starlette.types import Receive

T = TypeVar("T")


async def until_left(work: Coroutine[Any, Any, T], receive: Receive) -> T:
    """What the work returns or raises. The request's body must have been read.

    Raises ClientDisconnect where the client leaves first; the work has been cancelled and has ended then.
    """
    working = asyncio.create_task(work)
    leaving = asyncio.create_task(_left(receive))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
    finally:
        done = working.done()
        for task in (working, leaving):
            task.cancel()
        await asyncio.wait((working, leaving))
    if not done:
        raise ClientDisconnect
    return await working


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
