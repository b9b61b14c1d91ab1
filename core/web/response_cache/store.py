"""What the cache holds: answers by key within a bound of bytes, which of them show which subject, and which are being
made. Knows no ASGI.
"""

import asyncio
import sys
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Hashable
from types import TracebackType
from typing import Self

from core.background import attempt
from core.web.response_cache import metrics
from core.web.response_cache.entry import FRESH_SECONDS, STALE_SECONDS, Entry

_LARGEST = 8  # of them have room
_BOOKKEEPING = 400  # bytes of the dictionaries' places for an answer, and for each of its tags
_TAG_BOOKKEEPING = 300
_MOST_PURGED = 10_000  # tags that are remembered for the answers in the making
_MOST_UNSHARED = 1_000
_REST_SECONDS = 1.0  # after the database was found away, until an answer is to be made again
Key = tuple[Hashable, ...]


class Flight:
    """The making of an answer. `entry`, once it has landed: the answer, if all who asked may have it."""

    __slots__ = ("began", "entry", "failed", "key", "landed", "may_be_kept")

    def __init__(self, key: Key, began: int, *, may_be_kept: bool) -> None:
        self.key = key
        self.began = began
        self.may_be_kept = may_be_kept
        self.entry: Entry | None = None
        self.failed = False  # nobody knows yet whether the answer can be shared
        self.landed = asyncio.Event()


class ResponseCache:
    """`async with ResponseCache(limit_bytes) as cache:` Per process. `ready`: whether changes are heard of by now;
    before that nothing is kept.
    """

    def __init__(
        self, limit_bytes: int, ready: Callable[[], bool] = lambda: True, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.limit_bytes = limit_bytes
        self.bytes = 0
        self.now = now
        self._ready = ready
        self._entries: OrderedDict[Key, Entry] = OrderedDict()
        self._outdated: OrderedDict[Key, Entry] = (
            OrderedDict()
        )  # what they show changed; for when nothing else is there
        self._failed: dict[Key, float] = {}  # when what is left of them could not be made anew
        self._by_tag: dict[str, set[Key]] = {}
        self._flights: dict[Key, Flight] = {}
        self._making = 0
        self._purges = 0
        self._purged: dict[str, int] = {}  # when each tag was, counted in purges; while something is being made
        self._forgotten = 0  # all purges up to this one may have been of any tag
        self._unshared: OrderedDict[int, None] = OrderedDict()  # hashes of keys, which may be long
        self._tasks: dict[Key, asyncio.Task[None]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key) -> Entry | None:
        """Fresh or stale, as `Entry.age` says."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if self.now() - entry.made > FRESH_SECONDS + STALE_SECONDS:
            self.drop(key)
            return None
        self._entries.move_to_end(key)
        return entry

    def left(self, key: Key) -> tuple[Entry, bool] | None:
        """What may be given where the database is away, and whether it is known to be outdated."""
        entry = self._entries.get(key)
        if entry is None:
            entry = self._outdated.get(key)
        if entry is None:
            return None
        if self.now() - entry.made > FRESH_SECONDS + STALE_SECONDS:
            self.drop(key)
            return None
        return entry, key in self._outdated

    def fail(self, key: Key) -> None:
        """It was to be made, and the database was away."""
        if self.left(key) is not None:
            self._failed[key] = self.now()

    def is_failing(self, key: Key, *, tried: bool) -> bool:
        """Whether the database was away the last time, and nothing has been heard of it since; and it is too early to
        try again, or somebody does: `tried`.
        """
        failed = self._failed.get(key)
        return failed is not None and (tried or self.now() - failed < _REST_SECONDS)

    def flight(self, key: Key) -> Flight | None:
        """One that a caller who comes now may wait for: nothing was purged since it began."""
        return self._flights.get(key)

    def may_be_shared(self, key: Key) -> bool:
        """Whether waiting for another's answer is worth it."""
        return hash(key) not in self._unshared

    def begin(self, key: Key) -> Flight:
        flight = Flight(key, self._purges, may_be_kept=self._ready())
        self._flights.setdefault(key, flight)
        self._making += 1
        return flight

    def land(self, flight: Flight, entry: Entry | None, *, status: int, away: bool = False) -> bool:
        """Keeps the answer, where it can be shared and nothing in it has changed meanwhile; returns whether it did.
        `away`: the database is, and the answer says no more than that.
        """
        flight.entry = entry
        if away:
            self.fail(flight.key)
        elif entry is None and status < 500:  # noqa: PLR2004  that is there now, instead of what was
            self.drop(flight.key)
            self._unshared[hash(flight.key)] = None
            if len(self._unshared) > _MOST_UNSHARED:
                self._unshared.popitem(last=False)
        self._leave(flight)
        return entry is not None and self._keep(flight, entry)

    def end(self, flight: Flight) -> None:
        """However it ended. Whoever waits for one that never landed asks again."""
        self._making -= 1
        if not self._making:
            self._purged.clear()
        if not flight.landed.is_set():
            flight.failed = True
            self._leave(flight)

    def purge(self, tags: Collection[str]) -> None:
        """Of what shows one of these nothing is given any more, nor of what is being made now."""
        if not tags:
            return
        self._purges += 1
        self._flights.clear()
        self._failed.clear()  # what was written can be read
        dropped = 0
        for tag in tags:
            for key in self._by_tag.pop(tag, ()):
                dropped += self._outdate(key)
        metrics.PURGED.inc(dropped)
        if self._making:
            self._purged.update(dict.fromkeys(tags, self._purges))
            if len(self._purged) > _MOST_PURGED:
                self._purged.clear()
                self._forgotten = self._purges

    def drop(self, key: Key) -> None:
        self._failed.pop(key, None)
        self._let_go(key)
        entry = self._take_out(key)
        if entry is not None:
            self.bytes -= entry.size
        self._tell()

    def _outdate(self, key: Key) -> bool:
        entry = self._take_out(key)
        if entry is None:
            return False
        self._let_go(key)
        self._outdated[key] = entry
        self._tell()
        return True

    def _let_go(self, key: Key) -> None:
        outdated = self._outdated.pop(key, None)
        if outdated is not None:
            self.bytes -= outdated.size

    def _take_out(self, key: Key) -> Entry | None:
        entry = self._entries.pop(key, None)
        if entry is None:
            return None
        for tag in entry.tags:
            keys = self._by_tag.get(tag)
            if keys is not None:
                keys.discard(key)
                if not keys:
                    del self._by_tag[tag]
        return entry

    def refresh(self, key: Key, make: Callable[[], Awaitable[object]]) -> None:
        """Makes it anew in the background, once."""
        if key not in self._tasks:
            task = self._tasks[key] = asyncio.create_task(attempt("response_cache", make))
            task.add_done_callback(lambda _: self._tasks.pop(key))

    async def settle(self) -> None:
        """Waits for what is being made in the background: before what it needs is closed."""
        while self._tasks:
            await asyncio.wait(self._tasks.values())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.settle()
        self._entries.clear()
        self._outdated.clear()
        self._failed.clear()
        self._by_tag.clear()
        self.bytes = 0
        self._tell()

    def _leave(self, flight: Flight) -> None:
        if self._flights.get(flight.key) is flight:
            del self._flights[flight.key]
        flight.landed.set()

    def _keep(self, flight: Flight, entry: Entry) -> bool:
        since = flight.began
        outdated = self._forgotten > since or any(self._purged.get(tag, 0) > since for tag in entry.tags)
        entry.size += _BOOKKEEPING + sum(sys.getsizeof(part) for part in flight.key)
        entry.size += sum(_TAG_BOOKKEEPING + sys.getsizeof(tag) for tag in entry.tags)
        if outdated or entry.size > self.limit_bytes // _LARGEST or not flight.may_be_kept:
            return False
        self.drop(flight.key)
        self._unshared.pop(hash(flight.key), None)
        self._entries[flight.key] = entry
        for tag in entry.tags:
            self._by_tag.setdefault(tag, set()).add(flight.key)
        self.bytes += entry.size
        while self.bytes > self.limit_bytes:
            self.drop(next(iter(self._outdated or self._entries)))
        self._tell()
        return True

    def _tell(self) -> None:
        metrics.BYTES.set(self.bytes)
        metrics.ENTRIES.set(len(self._entries))
