"""The WebSocket of the event log."""

from typing import Annotated, Any

from fastapi import Depends

from commerce.accounts.principal import Principal
from core.errors import Conflict
from core.web.dependencies import BroadcastDep, ResourcesDep
from core.web.sockets.sockets import SocketsDep
from public_api.realtime.frames import Send, Subscribe, Unsubscribe
from public_api.realtime.socket import DoorkeeperDep, RequireSocketScope
from public_api.realtime.subscriptions import Subscriptions
from public_api.routing import public_router

router = public_router(tags=["Events"])
EventListener = Annotated[Principal, Depends(RequireSocketScope("events:read"))]


class NotInRoom(Conflict):
    """This socket is in no support room: `/support/rooms/{room}/ws` is."""

    code = "not_in_room"
    title = "Not in a room"


@router.websocket("/ws")
async def follow_channels(
    principal: EventListener,
    doorkeeper: DoorkeeperDep,
    sockets: SocketsDep,
    resources: ResourcesDep,
    broadcast: BroadcastDep,
) -> None:
    limit = sockets.limits.channels
    async with (
        doorkeeper.let_in(principal) as socket,
        Subscriptions(socket, principal, resources, broadcast, limit=limit) as subscriptions,
    ):

        async def handle(frame: Any) -> None:
            match frame:
                case Subscribe():
                    await subscriptions.subscribe(frame)
                case Unsubscribe():
                    await subscriptions.unsubscribe(frame)
                case Send():
                    raise NotInRoom

        await socket.run(handle)
        await subscriptions.stop()
        await socket.close(subscriptions.cursors)
