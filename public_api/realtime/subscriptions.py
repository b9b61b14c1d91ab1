"""The channels that one socket follows, each by a feed of its own and a task that carries it to the socket."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from types import TracebackType
from typing import Self

from pydantic_core import to_json

from commerce.accounts.principal import Principal
from commerce.events.envelope import EventEncoder, event_source
from commerce.events.feed import EventFeed
from commerce.events.filter import EventFilter
from core.errors import RateLimited
from core.eventlog import CursorTooOld, Event
from core.pagination import InvalidCursor
from core.resources import Resources
from core.streams.broadcast import Broadcast, Draining, Shared, TooSlow
from core.web.errors import failure_of, report
from core.web.sockets.connection import RESTART, TOO_SLOW, Ending, FrameSocket
from core.web.sockets.prepared import Prepared
from public_api.realtime.channels import open_channel
from public_api.realtime.frames import Reset, Subscribe, Subscribed, Unsubscribe

KIND = "websocket"
_NAMES = 4096  # of channels whose events are encoded once for all
Form = Callable[[Event], Prepared]


class TooManyChannels(RateLimited):
    """The socket follows as many channels as it may. Unsubscribe from one first, or open another socket."""

    code = "too_many_channels"
    title = "Too many channels"


@dataclass(eq=False, slots=True)
class _Followed:
    """`cursor`: of the last event that was sent, or where there was nothing to send up to."""

    cursor: str | None
    task: "asyncio.Task[None]" = field(init=False)


class Subscriptions:
    """`async with Subscriptions(...) as subscriptions:` Per socket."""

    def __init__(
        self, socket: FrameSocket, principal: Principal, resources: Resources, broadcast: Broadcast, *, limit: int
    ) -> None:
        self._socket = socket
        self._principal = principal
        self._resources = resources
        self._broadcast = broadcast
        self._limit = limit
        self._source = event_source(resources.settings)
        self._followed: dict[str, _Followed] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def cursors(self) -> dict[str, str | None]:
        """Where to go on, channel by channel. Exact once they are stopped."""
        return {name: followed.cursor for name, followed in self._followed.items()}

    async def stop(self) -> None:
        tasks = [followed.task for followed in self._followed.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def subscribe(self, frame: Subscribe) -> None:
        """Raises TooManyChannels, ChannelNotFound, and what the channel does."""
        name = frame.channel
        if name not in self._followed and len(self._followed) >= self._limit:
            raise TooManyChannels(f"a socket follows at most {self._limit} channels")
        wanted = await open_channel(name, self._principal, self._resources)
        await self.unsubscribe(Unsubscribe(channel=name))
        self.follow(name, wanted, frame.after, _frames_of(name, self._source))

    def follow(self, name: str, wanted: EventFilter, after: str | None, form: Form) -> None:
        """Whatever is wanted, each event in the form; `name` is what the client knows it by."""
        followed = self._followed[name] = _Followed(after)
        followed.task = asyncio.create_task(self._follow(name, followed, wanted, form), name="portico-channel")

    async def unsubscribe(self, frame: Unsubscribe) -> None:
        followed = self._followed.pop(frame.channel, None)
        if followed is not None:
            followed.task.cancel()
            await asyncio.gather(followed.task, return_exceptions=True)

    async def _follow(self, name: str, followed: _Followed, wanted: EventFilter, form: Form) -> None:
        try:
            try:
                await self._carry(name, followed, wanted, form, followed.cursor)
            except CursorTooOld:
                await self._socket.send(Reset(channel=name))
                await self._carry(name, followed, wanted, form, None)
        except InvalidCursor as error:
            del self._followed[name]
            await self._socket.refuse(error, name)
        except TooSlow:
            self._socket.end(TOO_SLOW)
        except Draining:
            self._socket.end(RESTART)
        except Exception as error:  # noqa: BLE001  the client comes back with its cursors
            failure = failure_of(error)
            report(failure, response_started=True)
            self._socket.end(Ending(1011, failure.error.code))

    async def _carry(self, name: str, followed: _Followed, wanted: EventFilter, form: Form, after: str | None) -> None:
        """Until the socket ends. Never so that `cursor` is ahead of what was sent."""
        at_once = partial(self._send_at_once, form)
        async with EventFeed(
            self._resources.database, self._broadcast, wanted, kind=KIND, after=after, at_once=at_once
        ) as feed:
            followed.cursor = cursor = feed.cursor
            await self._socket.send(Subscribed(channel=name, cursor=cursor))
            while True:
                try:
                    batch = await feed.take()
                except BaseException:
                    followed.cursor = feed.cursor
                    raise
                sent = 0
                for piece in self._socket.pieces([shared.form(form) for shared in batch]):
                    if not await self._socket.send_piece(piece):
                        return
                    sent += len(piece)
                    followed.cursor = batch[sent - 1].event.id

    def _send_at_once(self, form: Form, events: Sequence[Shared]) -> bool:
        """Then the feed's cursor moves, and the channel's with it when it ends."""
        return self._socket.send_at_once([shared.form(form) for shared in events])


@lru_cache(_NAMES)
def _frames_of(channel: str, source: str) -> Form:
    """How an event of the channel is sent, whoever gets it: the same function each time."""
    encoder = EventEncoder(source)
    head = f'{{"type":"event","channel":{to_json(channel).decode()},"event":'

    def frame(event: Event) -> Prepared:
        return Prepared(f"{head}{encoder.json(event).decode()}}}")

    return frame
