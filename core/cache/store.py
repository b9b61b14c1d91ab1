"""Where objects are kept, by the library `cashews`: in Redis for all processes, or within this one."""

import asyncio
import warnings
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

if TYPE_CHECKING:
    from cashews import Cache

T = TypeVar("T")
MAKING_SECONDS = 2.0  # for which others wait for who makes an object; one that takes longer is made twice
_LOOK_SECONDS = 0.02
_ANSWER_SECONDS = 0.25  # of Redis, each: to connect, to answer, to have a connection free
_CONNECTIONS = 4
_OBJECTS = 1_000  # within one process; those that nobody asked for go first
_REDIS: dict[str, Any] = {
    "suppress": False,  # what fails is told
    "health_check_interval": 0,
    "max_connections": _CONNECTIONS,
    "client_name": "portico-cache",
}
_MEMORY: dict[str, Any] = {"size": _OBJECTS, "check_interval": 0}  # what is over is looked for when it is asked for


class StoreAway(Exception):
    """Redis does not answer."""


class Store:
    """`async with Store(url) as store:` Per process. Without `url` it is of this process alone.

    Entering it does not wait for Redis. All methods raise StoreAway.
    """

    def __init__(self, url: str | None, *, answer_seconds: float = _ANSWER_SECONDS) -> None:
        self._url = url
        self._answer_seconds = answer_seconds
        self._cache: Cache | None = None
        self._opening = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._cache is not None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # by how the library closes Redis's
                await self._cache.close()

    async def get(self, name: str) -> bytes | None:
        kept = await self._ask(lambda cache: cache.get(name))
        return kept if isinstance(kept, bytes) else None

    async def set(self, name: str, json: bytes, seconds: float) -> None:
        await self._ask(lambda cache: cache.set(name, json, expire=seconds))

    async def claim(self, name: str, token: str) -> bool:
        """Whether the object is this process's to make, until `release` or for two seconds."""
        return await self._ask(lambda cache: cache.set_lock(_claim(name), token, expire=MAKING_SECONDS))

    async def made(self, name: str) -> None:
        """Waits until nobody makes the object, two seconds at most."""
        await self._ask(lambda cache: cache.is_locked(_claim(name), wait=MAKING_SECONDS, step=_LOOK_SECONDS))

    async def release(self, name: str, token: str) -> None:
        await self._ask(lambda cache: cache.unlock(_claim(name), token))

    async def _ask(self, work: Callable[["Cache"], Awaitable[T]]) -> T:
        cache = self._cache or await self._open()
        from cashews.exceptions import CacheBackendInteractionError  # noqa: PLC0415  loaded by now

        try:
            return await work(cache)
        except CacheBackendInteractionError as error:
            raise StoreAway from error

    async def _open(self) -> "Cache":
        async with self._opening:
            if self._cache is None:
                # It loads Redis's library too: a tenth of a second, for which neither start nor loop waits.
                self._cache = await asyncio.to_thread(_opened, self._url, self._answer_seconds)
        return self._cache


def _claim(name: str) -> str:
    return f"{name}:making"


def _opened(url: str | None, answer_seconds: float) -> "Cache":
    from cashews import Cache, register_backend  # noqa: PLC0415  loaded when something is kept
    from cashews.backends.redis import Redis  # noqa: PLC0415

    register_backend("unix", Redis, pass_uri=True)
    waits = ("socket_timeout", "socket_connect_timeout", "wait_for_connection_timeout")
    options = _REDIS | dict.fromkeys(waits, answer_seconds) if url else _MEMORY
    cache = Cache()
    # Bytes as they are: nothing that comes from Redis is unpickled.
    cache.setup(url or "mem://", pickle_type="null", **options)
    return cache
