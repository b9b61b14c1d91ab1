"""What endpoints ask for. All are `async def`: a sync dependency would cost a thread hop a request."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from core.database import ReadSession, WriteSession
from core.resources import Resources
from core.settings import Settings
from core.streams.broadcast import Broadcast
from core.tailer import Tailer


async def get_resources(connection: HTTPConnection) -> Resources:
    """What the root lifespan opened; it reaches every mount and WebSocket as connection state."""
    resources: Resources = connection.state.resources
    return resources


ResourcesDep = Annotated[Resources, Depends(get_resources)]


async def get_client_address(connection: HTTPConnection) -> str:
    """Of the caller's machine, a trusted proxy's word counting; empty for one without, such as a Unix socket's."""
    return connection.client.host if connection.client is not None else ""


ClientAddressDep = Annotated[str, Depends(get_client_address)]


async def get_settings(resources: ResourcesDep) -> Settings:
    """Read once, at the start; FastAPI keeps what this answers for the request."""
    return resources.settings


SettingsDep = Annotated[Settings, Depends(get_settings)]


async def get_tailer(connection: HTTPConnection) -> Tailer:
    """This process's."""
    tailer: Tailer = connection.state.tailer
    return tailer


TailerDep = Annotated[Tailer, Depends(get_tailer)]


async def get_broadcast(connection: HTTPConnection) -> Broadcast:
    """As the tailer."""
    broadcast: Broadcast = connection.state.broadcast
    return broadcast


BroadcastDep = Annotated[Broadcast, Depends(get_broadcast)]


async def open_read_session(resources: ResourcesDep) -> AsyncIterator[ReadSession]:
    async with resources.database.read() as session:
        yield session


async def open_write_session(resources: ResourcesDep) -> AsyncIterator[WriteSession]:
    async with resources.database.write() as session:
        yield session


# `function`: closed, and committed, before the response goes out. With the default scope a failing commit would reach
# the client as the 200 that was sent before it.
ReadSessionDep = Annotated[ReadSession, Depends(open_read_session, scope="function")]
WriteSessionDep = Annotated[WriteSession, Depends(open_write_session, scope="function")]
