"""From the tailer to the clients of this process: each event is handed to those that asked for its topics.

A client has room for so many events. One whose room is full is closed and let go: it loses its place, and no event, for
the log keeps them. Nobody waits for anybody else. A client that waits for events and can take them without waiting gets
them where it stands, and its task sleeps on.
"""

import asyncio
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from types import TracebackType
from typing import Any, Self, TypeVar

from prometheus_client import Counter, Gauge

from core.clock import Clock, SystemClock
from core.database import DatabaseUnavailable
from core.eventlog import Event
from core.tailer import Tailer

_READY_SECONDS = 10.0
_MOMENT = timedelta(hours=1)  # the log keeps all that is younger
KNOWN = 2_000  # of the newest events: who was away for a moment gets them without a look into the log
_READERS = 4  # of the log at a time: when all clients of a server come back at once, others need the database too
QUEUE_LIMIT = 5_000  # events; the event itself is shared by all who wait for it
SLOW = Counter("portico_streams_too_slow_total", "Clients that were closed because they read too slowly.", ("kind",))
_QUEUED = Gauge(
    "portico_stream_queued_events", "Events that wait for clients to read them.", ("kind",), multiprocess_mode="livesum"
)
_LONGEST = Gauge(
    "portico_stream_longest_queue", "How many wait for the slowest client.", ("kind",), multiprocess_mode="livemax"
)
T = TypeVar("T")
TakeAtOnce = Callable[[Sequence["Shared"]], bool]


class TooSlow(Exception):
    """The client took longer to read than its room lasted. It may come back with its cursor."""


class Draining(Exception):
    """The server is about to stop. The client shall come back, to another."""


class Shared:
    """An event on its way to many. Each form of it is made once, by whoever needs it first."""

    __slots__ = ("_forms", "event")

    def __init__(self, event: Event) -> None:
        self.event = event
        self._forms: dict[Any, Any] = {}

    def form(self, make: Callable[[Event], T]) -> T:
        """What `make` returns for the event. Give the same function each time."""
        found: T | None = self._forms.get(make)
        if found is None:
            found = self._forms[make] = make(self.event)
        return found


class Subscription:
    """Per client, until `Broadcast.unsubscribe`. `closed`: why it gets nothing any more.

    `position`: of the last event that the client has. `at_once` is called while `take` waits, with what that would
    return, and returns whether the client has it now; it must not wait.
    """

    __slots__ = (
        *("_limit", "_lost", "_queue", "_waits", "_woken"),
        *("at_once", "closed", "kind", "position", "topics", "wants"),
    )

    def __init__(self, kind: str, topics: Collection[str], wants: Callable[[Event], bool], limit: int) -> None:
        self.topics = topics
        self.wants = wants
        self.at_once: TakeAtOnce | None = None
        self.closed: Exception | None = None
        self.position = -1
        self._waits = False
        self._lost = False
        self.kind = kind
        self._limit = limit
        self._queue: list[Shared] = []
        self._woken = asyncio.Event()

    def offer(self, events: Sequence[Shared]) -> None:
        # Also where it is closed: `has_all` is to know of it.
        if self._lost:
            return
        if len(self._queue) + len(events) > self._limit:
            SLOW.labels(self.kind).inc()
            self._queue.clear()
            self._lost = True
            self.close(TooSlow())
        elif self._waits and self._takes(events):
            self.position = events[-1].event.position
        else:
            self._queue += events
            self._wake()

    def _takes(self, events: Sequence[Shared]) -> bool:
        return self.at_once is not None and events[0].event.position > self.position and self.at_once(events)

    def close(self, reason: Exception) -> None:
        """The first reason counts."""
        if self.closed is None:
            self.closed = reason
        self._wake()

    def _wake(self) -> None:
        self._waits = False
        self._woken.set()

    async def take(self, seconds: float | None = None) -> list[Shared]:
        """All that came after its position, in order, as soon as there is something; nothing after so many seconds.

        Raises why it was closed, now and ever after: TooSlow, Draining, or what else it was closed with.
        """
        while True:
            await self._wait(seconds)
            if self.closed is not None:
                raise self.closed
            taken, self._queue = self._queue, []
            new = [each for each in taken if each.event.position > self.position]
            if new:
                self.position = new[-1].event.position
            if new or not taken:
                return new

    async def _wait(self, seconds: float | None) -> None:
        if not self._queue and self.closed is None:
            self._woken.clear()
            self._waits = True
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._woken.wait()
            self._waits = False

    @property
    def queued(self) -> int:
        """Events that it has not taken."""
        return len(self._queue)

    @property
    def has_all(self) -> bool:
        """Whether everything that came was taken."""
        return not self._queue and not self._lost


class Broadcast:
    """`async with Broadcast(tailer, topics_of, draining):` One per process. `topics_of` an event says for each whether
    all who subscribed to it want the event, and need not be asked.
    """

    def __init__(
        self,
        tailer: Tailer,
        topics_of: Callable[[Event], Mapping[str, bool]],
        draining: asyncio.Event,
        *,
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._tailer = tailer
        self._topics_of = topics_of
        self._draining = draining
        self._subscriptions: dict[str, dict[Subscription, None]] = defaultdict(dict)
        self._at_drain: dict[Callable[[], None], None] = {}
        self._kinds: set[str] = set()  # that there ever were
        self._recent: list[Shared] = []
        self._recent_after = -1  # where they begin; no cursor before the first look
        self.reading = asyncio.Semaphore(_READERS)  # held while a stream looks into the log

    async def __aenter__(self) -> Self:
        self._leave = self._tailer.follow(self._receive)
        self._drainer = asyncio.create_task(self._drain(), name="portico-streams")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()
        self._drainer.cancel()
        with suppress(asyncio.CancelledError):
            await self._drainer

    @property
    def position(self) -> int | None:
        """In the log: of the last event that was handed out here; None before the first look into it."""
        return self._tailer.position

    async def ready(self) -> None:
        """Whoever subscribes then gets all that they do not find in the log. Raises DatabaseUnavailable."""
        try:
            async with asyncio.timeout(_READY_SECONDS):
                await self._tailer.looked.wait()
        except TimeoutError:
            raise DatabaseUnavailable from None
        self._remember(())

    @property
    def draining(self) -> bool:
        return self._draining.is_set()

    def subscribe(
        self, kind: str, topics: Collection[str], wants: Callable[[Event], bool], *, limit: int = QUEUE_LIMIT
    ) -> Subscription:
        """To events from now on that have one of the topics and are wanted. `kind` of stream is for the metrics."""
        made = Subscription(kind, topics, wants, limit)
        for topic in topics:
            self._subscriptions[topic][made] = None
        if self.draining:
            made.close(Draining())
        return made

    def unsubscribe(self, subscription: Subscription) -> None:
        for topic in subscription.topics:
            del self._subscriptions[topic][subscription]
            if not self._subscriptions[topic]:
                del self._subscriptions[topic]

    def since(self, position: int) -> list[Shared] | None:
        """All events after the position that were handed out here, also such as were committed before this process
        began; None where they are too many or too old to be remembered, or not all are known yet. To be called after
        `ready` and after subscribing. When a server has restarted, all its clients ask at once: for them nothing is
        read.
        """
        if self.position is None or not self._recent_after <= position <= self.position:
            return None
        found = self._recent[bisect_right(self._recent, position, key=_position_of) :]
        return None if found and found[0].event.time < self._clock.now() - _MOMENT else found

    def at_drain(self, call: Callable[[], None]) -> Callable[[], None]:
        """Calls it once, in the event loop, when the server is about to stop; at once where it is. It must not wait.
        For streams that may have no subscription. Returns what takes it back.
        """
        if self.draining:
            call()
        self._at_drain[call] = None
        return lambda: self._at_drain.pop(call, None)

    def tell_queues(self) -> None:
        """The metrics; it looks at every client."""
        queues: dict[str, list[int]] = {kind: [0] for kind in self._kinds}
        for each in {each for subscribed in self._subscriptions.values() for each in subscribed}:
            queues.setdefault(each.kind, [0]).append(each.queued)
        self._kinds.update(queues)
        for kind, lengths in queues.items():
            _QUEUED.labels(kind).set(sum(lengths))
            _LONGEST.labels(kind).set(max(lengths))

    def _receive(self, events: Sequence[Event]) -> None:
        made = self._remember(events)
        if len(made) == 1:  # as most come: no list for each of a thousand clients
            for subscription in self._listeners(made[0].event):
                subscription.offer(made)
            return
        wanted: defaultdict[Subscription, list[Shared]] = defaultdict(list)
        for shared in made:
            for subscription in self._listeners(shared.event):
                wanted[subscription].append(shared)
        for subscription, found in wanted.items():
            subscription.offer(found)

    def _listeners(self, event: Event) -> Iterable[Subscription]:
        found: dict[Subscription, None] = {}
        for topic, all_want_it in self._topics_of(event).items():
            subscribed = self._subscriptions.get(topic, {})
            found |= subscribed if all_want_it else {each: None for each in subscribed if each.wants(event)}
        return found

    def _remember(self, events: Sequence[Event]) -> list[Shared]:
        """The last two to four thousand."""
        if self._recent_after < 0:
            self._recent = [Shared(event) for event in self._tailer.before]
            first = self._recent[0].event.position - 1 if self._recent else self._tailer.position or 0
            self._recent_after = first
        made = [Shared(event) for event in events]
        if made and self._recent and made[0].event.position <= self._recent[-1].event.position:
            self._recent.clear()  # a backup was restored
            self._recent_after = made[0].event.position - 1
        self._recent += made
        if len(self._recent) > 2 * KNOWN:
            self._recent_after = self._recent[-KNOWN - 1].event.position
            del self._recent[:-KNOWN]
        return made

    async def _drain(self) -> None:
        await self._draining.wait()
        for call in list(self._at_drain):
            call()
        for subscriptions in list(self._subscriptions.values()):
            for subscription in list(subscriptions):
                subscription.close(Draining())


def _position_of(shared: Shared) -> int:
    return shared.event.position
