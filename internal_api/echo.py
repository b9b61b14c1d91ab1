"""A WebSocket that says what it hears: whether sockets get through to this server, and live."""

from contextlib import ExitStack
from typing import Annotated, Any

from fastapi import APIRouter, Depends, WebSocket

from commerce.accounts.principal import Principal
from commerce.accounts.watch import CredentialWatch, ended
from core.web.dependencies import ResourcesDep
from core.web.sockets.frames import BASIC_FRAMES
from core.web.sockets.handshake import check_origin
from core.web.sockets.sockets import SocketsDep
from internal_api.auth import LOWEST

router = APIRouter()


@router.websocket("/ws/echo")
async def echo(
    websocket: WebSocket, principal: Annotated[Principal, Depends(LOWEST)], resources: ResourcesDep, sockets: SocketsDep
) -> None:
    check_origin(websocket, resources.settings)
    sockets.require_running()
    watch: CredentialWatch = websocket.state.watch
    async with sockets.accept(websocket, BASIC_FRAMES, key=principal.name, expires_at=principal.expires_at) as socket:
        with ExitStack() as stack:
            stack.callback(watch.follow(principal, lambda how: socket.expire(ended(how))))
            await socket.run(_nothing_more)
            await socket.close()


async def _nothing_more(_frame: Any) -> None:
    """What is left of the basic frames is answered by the socket itself."""
