"""Objects that are costly to make, found again by every process until what they were made of changes.

Nothing is taken out when something changes: an object says up to which event it knows of everything, and each process
knows the last event that each tag was ended by. So a change needs no Redis, and what was begun before it and is kept
after it is known to be old.
"""

import secrets
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog
from prometheus_client import Counter
from pydantic import BaseModel, ValidationError

from core.cache.store import Store, StoreAway
from core.single_flight import SingleFlight

log = structlog.get_logger("portico.cache")
T = TypeVar("T")
SECONDS = 60.0  # for which an object is kept: a safety net, not the way that it ends
_REST_SECONDS = 1.0  # after Redis was away, in which nobody asks it
_REQUESTS = Counter(
    "portico_object_cache_requests_total",
    "Objects asked for: kept (hit), made (miss), or made without asking, as Redis is away (away).",
    ("kind", "outcome"),
)
_ERRORS = Counter("portico_object_cache_errors_total", "How often Redis did not answer when an object was asked for.")


class _Kept(BaseModel, Generic[T]):
    position: int  # of an event: this one and all before are in the value
    value: T


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """Objects of one sort, of a type that pydantic knows. What is made in another way gets another name."""

    name: str
    type: type[T]


class ObjectCache:
    """Per process. `fingerprint` is the shop's own: several may share a Redis, and it is not told what was asked.
    `newest`: the position of the newest event that is committed, asked of the database.
    """

    def __init__(
        self,
        store: Store,
        fingerprint: Callable[[bytes], bytes],
        newest: Callable[[], Awaitable[int]],
        flights: SingleFlight,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        # The position up to which this process has heard of all changes, None while it hears of none. Nothing is kept
        # before that.
        self.heard: Callable[[], int | None] = lambda: None
        self._store = store
        self._fingerprint = fingerprint
        self._newest = newest
        self._flights = flights
        self._now = now
        self._since: int | None = None  # before this one it heard of none
        self._ends = 0
        self._ended: dict[str, int] = {}  # when each tag was, counted in ends
        self._positions: dict[str, int] = {}  # of the event that each was ended by
        self._unplaced: dict[str, int] = {}  # the ends, of each tag, of which the position is not known yet
        self._away_until = float("-inf")
        self._is_away = False

    def end(self, tags: Collection[str], position: int | None = None) -> None:
        """What was made before the event at this position is not given any more; without one, what was made before now.
        Tags are few: none is forgotten.
        """
        for tag in tags:
            self._ends += 1
            self._ended[tag] = self._ends
            if position is None:
                self._unplaced[tag] = self._ends
            else:
                self._positions[tag] = max(position, self._positions.get(tag, 0))

    async def get(self, kind: Kind[T], key: bytes, tags: Collection[str], make: Callable[[], Awaitable[T]]) -> T:
        """The object of this key, made of the primary database by `make` where none is kept that knows of the last
        changes of `tags`. Raises what `make` raises, and DatabaseUnavailable.
        """
        if self._since is None:
            self._since = self.heard()
        if self._since is None:
            return await make()
        name = f"portico:object:{kind.name}:{self._fingerprint(key).hex()[:32]}"
        end = max((self._ended.get(tag, 0) for tag in tags), default=0)  # nobody waits for what began before it
        return await self._flights.run(f"{name} {end}", lambda: self._found(kind, name, tags, make))

    async def _found(self, kind: Kind[T], name: str, tags: Collection[str], make: Callable[[], Awaitable[T]]) -> T:
        least = await self._least(tags)
        kept = await self._kept(kind, name, least)
        if kept is not None:
            return self._told(kind, "hit", kept.value)
        token = secrets.token_hex(8)
        claimed = await self._ask(lambda: self._store.claim(name, token))
        try:
            if claimed is False:
                await self._ask(lambda: self._store.made(name))
                kept = await self._kept(kind, name, least)
                if kept is not None:
                    return self._told(kind, "hit", kept.value)
            position = await self._newest()
            value = await make()
            json = _Kept[kind.type](position=position, value=value).model_dump_json().encode()  # type: ignore[name-defined]
            await self._ask(lambda: self._store.set(name, json, SECONDS))
        finally:
            if claimed:
                await self._ask(lambda: self._store.release(name, token))
        return self._told(kind, "miss" if claimed is not None else "away", value)

    async def _least(self, tags: Collection[str]) -> int:
        """The position that an object must know of."""
        unplaced = {tag: end for tag in tags if (end := self._unplaced.get(tag)) is not None}
        if unplaced:
            position = await self._newest()
            for tag, end in unplaced.items():
                self._positions[tag] = max(position, self._positions.get(tag, 0))
                if self._unplaced.get(tag) == end:
                    del self._unplaced[tag]
        return max([self._since or 0, *(self._positions.get(tag, 0) for tag in tags)])

    async def _kept(self, kind: Kind[T], name: str, least: int) -> _Kept[T] | None:
        json = await self._ask(lambda: self._store.get(name))
        if json is None:
            return None
        try:
            kept = _Kept[kind.type].model_validate_json(json)  # type: ignore[name-defined]
        except ValidationError:  # another version of this program made it
            return None
        return kept if kept.position >= least else None

    async def _ask(self, work: Callable[[], Awaitable[T]]) -> T | None:
        """None where Redis is away: who finds out has waited for it, and those after it do not."""
        if self._now() < self._away_until:
            return None
        try:
            answer = await work()
        except StoreAway as error:
            _ERRORS.inc()
            self._away_until = self._now() + _REST_SECONDS
            if not self._is_away:
                self._is_away = True
                log.warning("objects_not_kept", reason=str(error.__cause__ or error))
            return None
        if self._is_away:
            self._is_away = False
            log.info("objects_kept_again")
        return answer

    def _told(self, kind: Kind[T], outcome: str, value: T) -> T:
        _REQUESTS.labels(kind.name, outcome).inc()
        return value
