"""The WebSocket of a support room: what is said, by whom, and who is there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Query

from commerce.support.commands import SendMessage
from commerce.support.entities import Person
from commerce.support.events import room_filter
from commerce.support.presence import Change
from commerce.support.service import SupportService
from core.database import WriteSession
from core.eventlog import Event, position_of
from core.web.dependencies import BroadcastDep, ResourcesDep
from core.web.sockets.connection import FrameSocket
from core.web.sockets.prepared import Prepared
from public_api.realtime import frames
from public_api.realtime.channels import ChannelNotFound
from public_api.realtime.socket import DoorkeeperDep
from public_api.realtime.subscriptions import Subscriptions
from public_api.routing import public_router
from public_api.support.dependencies import PresenceDep, SocketChatDep

router = public_router(prefix="/support", tags=["Support"])


@dataclass(frozen=True, slots=True)
class Chatter:
    """Per connection: somebody who may chat, and what it takes."""

    principal: SocketChatDep
    resources: ResourcesDep
    presence: PresenceDep
    after: Annotated[str | None, Query(max_length=100, description="The cursor of the last message that you have.")] = (
        None
    )

    async def enter(self, room: str) -> Person:
        """Raises InvalidCursor, InvalidRoomName, RoomNotFound."""
        if self.after is not None:
            position_of(self.after)
        async with self.resources.database.write() as session:
            return await self._service(session).enter(room)

    async def send(self, room: str, frame: frames.Send) -> None:
        """Raises what the message is refused with. It comes back by the log, as to everybody else."""
        command = SendMessage(room, frame.text, frame.to)
        async with self.resources.database.write() as session:
            await self._service(session).send(command)

    @asynccontextmanager
    async def attend(self, room: str, who: Person, socket: FrameSocket) -> AsyncIterator[None]:
        """Tells the socket who is there, and from then on who comes and goes."""
        changes: asyncio.Queue[Change] = asyncio.Queue()
        async with self.presence.attend(room, who, changes.put_nowait) as present:
            for each in present:
                await socket.send(_presence_frame(Change(room, each, "joined")))
            task = asyncio.create_task(_tell(changes, socket), name="portico-presence-frames")
            try:
                yield
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    def _service(self, session: WriteSession) -> SupportService:
        return SupportService(session, self.resources.clock, principal=self.principal)


ChatterDep = Annotated[Chatter, Depends()]


@router.websocket("/rooms/{room}/ws")
async def chat(room: str, chatter: ChatterDep, doorkeeper: DoorkeeperDep, broadcast: BroadcastDep) -> None:
    """Its one channel is `support:<room>`, also where the server says where to go on."""
    who = await chatter.enter(room)
    principal, resources = chatter.principal, chatter.resources
    async with (
        doorkeeper.let_in(principal) as socket,
        chatter.attend(room, who, socket),
        Subscriptions(socket, principal, resources, broadcast, limit=1) as subscriptions,
    ):
        subscriptions.follow(f"support:{room}", room_filter(room, principal), chatter.after, _message_frame)

        async def handle(frame: Any) -> None:
            if not isinstance(frame, frames.Send):
                raise ChannelNotFound("this socket follows its room alone: `/ws` follows channels")
            await chatter.send(room, frame)

        await socket.run(handle)
        await subscriptions.stop()
        await socket.close(subscriptions.cursors)


async def _tell(changes: asyncio.Queue[Change], socket: FrameSocket) -> None:
    while True:
        await socket.send(_presence_frame(await changes.get()))


def _presence_frame(change: Change) -> frames.Presence:
    who = frames.Person(id=change.who.id, name=change.who.name, staff=change.who.is_staff)
    return frames.Presence(room=change.room, person=who, state=change.state)


def _message_frame(event: Event) -> Prepared:
    """The same for all whom it is for, and so made once."""
    said = event.data
    message = frames.Message(
        id=said["id"],
        cursor=event.id,
        room=said["room"],
        author=frames.Person(**said["author"]),
        to=said["to"],
        text=said["text"],
        created_at=event.time,
    )
    return Prepared(message.model_dump_json())
