"""One client's events, in the order of the log, from its cursor on: first those that are kept, then those that come."""

from types import TracebackType
from typing import Self

from commerce.events.filter import EventFilter
from commerce.events.visibility import may_be_given
from core.database import Database
from core.eventlog import EventLog, event_id, position_of
from core.streams.broadcast import Broadcast, Draining, Shared, Subscription, TakeAtOnce, TooSlow

_PAGE = 500


class EventFeed:
    """`async with EventFeed(...) as feed:` Per stream. No session is open while it waits.

    Nothing is left out and nothing comes twice: the feed subscribes first, and then reads what is kept to its end; what
    came by both ways comes once. That is no statement for who was away for a moment, and else a few. Entering it raises
    InvalidCursor, CursorTooOld, DatabaseUnavailable.
    """

    def __init__(
        self,
        database: Database,
        broadcast: Broadcast,
        wanted: EventFilter,
        *,
        kind: str,
        after: str | None,
        at_once: TakeAtOnce | None = None,
    ) -> None:
        """`after` None: from now on. `kind` of stream is for the metrics. `at_once` is called while `take` waits, with
        what it would return, and returns whether the client has it now; it must not wait.
        """
        self._database = database
        self._broadcast = broadcast
        self._wanted = wanted
        self._kind = kind
        self._at_once = at_once
        self._position = position_of(after) if after is not None else -1
        self._subscription: Subscription | None = None
        self._page: list[Shared] | None = None  # found, and not taken
        self._closed: Exception | None = None
        self._caught_up = after is None

    async def __aenter__(self) -> Self:
        await self._broadcast.ready()
        self._subscribe()
        try:
            if self._caught_up:
                async with self._broadcast.reading, self._database.read() as session:
                    self._position = await EventLog(session).newest()
            else:
                await self._begin()
        except BaseException:
            self._unsubscribe()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._unsubscribe()

    @property
    def cursor(self) -> str:
        """Where to go on, when `take` has ended: all up to it was taken, or not wanted."""
        position = self._position
        if self._caught_up and not self._page and self._subscription is not None and self._subscription.has_all:
            position = max(position, self._broadcast.position or 0)
        return event_id(position)

    def close(self, reason: Exception) -> None:
        """From now on `take` raises it, also where it waits already."""
        self._closed = reason
        if self._subscription is not None:
            self._subscription.close(reason)

    async def take(self, seconds: float | None = None) -> list[Shared]:
        """The next ones, as soon as there are any; nothing after so many seconds.

        Raises TooSlow, Draining, CursorTooOld where the log was trimmed meanwhile, DatabaseUnavailable, or what the
        feed was closed with.
        """
        while not self._caught_up:
            if self._closed is not None:
                raise self._closed
            if self._broadcast.draining:
                raise Draining
            page = self._page if self._page is not None else await self._read()
            self._page = None
            self._note_end(is_last=len(page) < _PAGE)
            if page:
                self._position = page[-1].event.position
                return page
        subscription = self._subscription
        assert subscription is not None  # noqa: S101  so it is when it has caught up
        if self._page and subscription.closed is None:
            page, self._page = self._page, None
            self._position = page[-1].event.position
            return page
        subscription.position = self._position  # what came by both ways comes once
        try:
            return await subscription.take(seconds)
        finally:
            self._position = subscription.position

    def _note_end(self, *, is_last: bool) -> None:
        """After a page. What was committed since the feed subscribed waits for it."""
        if self._subscription is None:
            if is_last:
                self._subscribe()
        elif isinstance(self._subscription.closed, TooSlow):
            self._unsubscribe()  # no fault of the client: it was reading the log meanwhile
        elif is_last:
            self._caught_up = True

    async def _begin(self) -> None:
        known = self._broadcast.since(self._position)
        if known is None or any(may_be_given(shared.event) for shared in known):
            self._page = await self._read()
        else:
            self._page = [shared for shared in known if self._wanted.wants(shared.event)]
            self._caught_up = True

    async def _read(self) -> list[Shared]:
        async with self._broadcast.reading, self._database.read() as session:
            found, _ = await EventLog(session).after(
                event_id(self._position), visible=self._wanted.sql(), types=self._wanted.types, limit=_PAGE
            )
        return [Shared(event) for event in found]

    def _subscribe(self) -> None:
        wanted = self._wanted
        self._subscription = self._broadcast.subscribe(self._kind, wanted.topics(), wanted.wants)
        self._subscription.at_once = self._at_once

    def _unsubscribe(self) -> None:
        if self._subscription is not None:
            self._broadcast.unsubscribe(self._subscription)
            self._subscription = None
