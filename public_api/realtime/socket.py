"""What every public WebSocket begins and ends with: who opens it, its place, and the life of its credential."""

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, WebSocket

from commerce.accounts.authentication import principal_for
from commerce.accounts.principal import Principal, Scope
from commerce.accounts.tickets import principal_of_ticket
from commerce.accounts.watch import ended
from core.budget import READ_POINTS, WRITE_POINTS, QuotaExceeded
from core.web.dependencies import ClientAddressDep, ResourcesDep
from core.web.sockets.connection import FrameSocket
from core.web.sockets.handshake import bearer_token, check_origin
from core.web.sockets.sockets import SocketsDep
from public_api.auth import RequireScope, RequireSomebody, WatchDep, charged
from public_api.realtime.frames import FROM_CLIENT, Send


async def get_socket_principal(
    websocket: WebSocket, resources: ResourcesDep, sockets: SocketsDep, address: ClientAddressDep
) -> Principal:
    """Whose socket it would be: by header, by subprotocol or by ticket. What it raises is answered instead of the
    handshake.
    """
    check_origin(websocket, resources.settings)
    sockets.require_running()
    token, ticket = bearer_token(websocket), websocket.query_params.get("ticket")
    if token is None and ticket is not None:
        finding = principal_of_ticket(ticket, "websocket", resources, address)
    else:
        finding = principal_for(token, resources, "public", address)
    return await charged(websocket, resources, address, finding)


SocketPrincipalDep = Annotated[Principal, Depends(get_socket_principal)]


@dataclass(frozen=True, slots=True)
class RequireSocketScope:
    """As RequireScope, for WebSockets."""

    scope: Scope

    @property
    def auth_rule(self) -> str:
        return f"scope {self.scope}"

    async def __call__(self, principal: SocketPrincipalDep) -> Principal:
        return await RequireScope(self.scope)(await RequireSomebody()(principal))


@dataclass(frozen=True, slots=True)
class Doorkeeper:
    """Per connection, before it is accepted."""

    websocket: WebSocket
    sockets: SocketsDep
    watch: WatchDep
    resources: ResourcesDep

    @asynccontextmanager
    async def let_in(self, principal: Principal) -> AsyncIterator[FrameSocket]:
        """Accepts. The socket ends with the credential. Raises TooManyStreams before it accepts."""

        async def charge(frame: Any) -> None:
            points = WRITE_POINTS if isinstance(frame, Send) else READ_POINTS
            verdict = await self.resources.budget.spend(principal.name, points)
            if not verdict.allowed:
                raise QuotaExceeded(points, verdict)

        async with self.sockets.accept(
            self.websocket, FROM_CLIENT, key=principal.name, expires_at=principal.expires_at, charge=charge
        ) as socket:
            with ExitStack() as stack:
                stack.callback(self.watch.follow(principal, lambda how: socket.expire(ended(how))))
                yield socket


DoorkeeperDep = Annotated[Doorkeeper, Depends()]
