"""The shop behind a real server, and peers of its sockets."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from fastapi import FastAPI

from core.resources import Resources
from core.web.sockets.connection import SocketLimits
from core.web.sockets.sockets import Sockets
from tests.fixtures.application import LogEntries
from tests.fixtures.listening import Listening, listen
from tests.fixtures.sockets import Peer, Schemas, connected

Connect = Callable[..., AbstractAsyncContextManager[Peer]]


@pytest.fixture
async def listening(app: FastAPI, log_entries: LogEntries) -> AsyncIterator[Listening]:  # noqa: ARG001  no log on stderr
    async with listen(app) as listening:
        yield listening


@pytest.fixture
def resources(listening: Listening) -> Resources:
    found: Resources = listening.state["resources"]
    return found


@pytest.fixture
def connect(listening: Listening, schemas: Schemas) -> Connect:
    """`async with connect(headers) as peer:` To the public socket, or another path."""

    def connect(headers: dict[str, str], path: str = "/public/v1/ws", **options: Any) -> Any:
        return connected(f"ws://{listening.address}{path}", schemas, headers, **options)

    return connect


@pytest.fixture
def limit(listening: Listening) -> Callable[..., None]:
    """Sockets that are opened from now on have other limits."""

    def limit(**changes: Any) -> None:
        listening.state["sockets"] = Sockets(listening.state["broadcast"], SocketLimits(**changes))

    return limit
