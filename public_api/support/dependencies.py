"""Support chat for endpoints: who may call, a repository, and messages sent once."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from commerce.accounts.principal import Principal
from commerce.support.access import require_chat
from commerce.support.commands import SendMessage
from commerce.support.entities import MESSAGE, Message
from commerce.support.presence import Presence
from commerce.support.repository import SupportRepository
from commerce.support.service import SupportService
from core.database import WriteSession
from core.web.dependencies import ReadSessionDep
from public_api.auth import PrincipalDep
from public_api.once import Once, OnceDep
from public_api.realtime.socket import SocketPrincipalDep


@dataclass(frozen=True, slots=True)
class RequireChat:
    """Lets through people, and keys that have the scope."""

    auth_rule = "user or scope support:write"

    async def __call__(self, principal: PrincipalDep) -> Principal:
        require_chat(principal)
        return principal


ChatDep = Annotated[Principal, Depends(RequireChat())]


@dataclass(frozen=True, slots=True)
class RequireSocketChat:
    """As RequireChat, for WebSockets."""

    auth_rule = RequireChat.auth_rule

    async def __call__(self, principal: SocketPrincipalDep) -> Principal:
        return await RequireChat()(principal)


SocketChatDep = Annotated[Principal, Depends(RequireSocketChat())]


async def get_presence(connection: HTTPConnection) -> Presence:
    """This process's."""
    presence: Presence = connection.state.presence
    return presence


PresenceDep = Annotated[Presence, Depends(get_presence)]


async def get_support(session: ReadSessionDep) -> SupportRepository:
    return SupportRepository(session)


SupportDep = Annotated[SupportRepository, Depends(get_support, scope="function")]


@dataclass(frozen=True, slots=True)
class SupportDesk:
    """Per request. Does a command in a transaction of its own, once for each Idempotency-Key."""

    once: Once
    principal: Principal

    async def send(self, command: SendMessage) -> Message:
        async def action(session: WriteSession) -> Message:
            return await SupportService(session, self.once.resources.clock, principal=self.principal).send(command)

        return await self.once.run(command, action, MESSAGE)


async def get_desk(principal: ChatDep, once: OnceDep) -> SupportDesk:
    return SupportDesk(once, principal)


DeskDep = Annotated[SupportDesk, Depends(get_desk)]
