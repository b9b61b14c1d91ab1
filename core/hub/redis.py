"""Wake-ups between processes, by Redis' publish and subscribe; within this one they need no Redis.

While Redis is away each process goes on by its own looks; when it is back everybody is woken once, for what was lost.
"""

import asyncio
import random
import secrets
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

import redis.asyncio
import structlog
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from core.hub import HubUnavailable, Wake
from core.hub.memory import MemoryHub

log = structlog.get_logger("portico.hub")
_CHANNEL = "portico:wake"
_AGAIN_SECONDS = 0.5  # after Redis went away; twice as long each time that it is not back, up to ten times
_LONGEST = 10
_CANCEL_SECONDS = 0.2
_QUIET_SECONDS = 10.0  # after which the connection is asked whether it is there, and as long for its answer
_PING_SECONDS = 2.0  # for who asks us whether Redis is there


async def check(url: str) -> None:
    """Raises HubUnavailable where Redis does not answer."""
    async with _client(url) as client:
        await _ping(client)


def _client(url: str) -> redis.asyncio.Redis:
    # No retries of the library's own: they would wait where we could listen again.
    client: redis.asyncio.Redis = redis.asyncio.from_url(url, retry=Retry(NoBackoff(), 0), max_connections=4)
    return client


async def _ping(client: redis.asyncio.Redis) -> None:
    try:
        async with asyncio.timeout(_PING_SECONDS):
            await client.ping()
    except (RedisError, OSError) as error:  # TimeoutError is an OSError
        raise HubUnavailable("Redis does not answer") from error


class RedisHub:
    """`async with RedisHub(url) as hub:` Per process: one connection that listens, and one that tells.

    Entering it does not wait for Redis.
    """

    def __init__(
        self, url: str, *, quiet_seconds: float = _QUIET_SECONDS, again_seconds: float = _AGAIN_SECONDS
    ) -> None:
        self._redis = _client(url)
        self._quiet_seconds = quiet_seconds
        self._again_seconds = again_seconds
        self._longest_pause = again_seconds * _LONGEST
        self._closed = False
        self._own = secrets.token_hex(8)
        self._here = MemoryHub()
        self._untold: dict[str, None] = {}
        self._has_untold = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._tasks = [
            asyncio.create_task(self._forever(self._listen), name="portico-hub-listen"),
            asyncio.create_task(self._forever(self._tell), name="portico-hub-tell"),
        ]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        running = set(self._tasks)
        while running:  # redis-py loses a cancellation now and then
            for task in running:
                task.cancel()
            _, running = await asyncio.wait(running, timeout=_CANCEL_SECONDS)
        await self._redis.aclose()

    async def ping(self) -> None:
        await _ping(self._redis)

    def publish(self, topic: str) -> None:
        self._here.publish(topic)
        self._untold[topic] = None
        self._has_untold.set()

    def subscribe(self, topic: str, wake: Wake) -> Callable[[], None]:
        return self._here.subscribe(topic, wake)

    async def _forever(self, work: Callable[[], Awaitable[None]]) -> None:
        failures = 0
        while not self._closed:
            began = time.monotonic()
            try:
                await work()
            except (RedisError, OSError) as error:
                log.warning("redis_away", reason=f"{type(error).__name__}: {error}")
                failures = 0 if time.monotonic() - began > self._longest_pause else failures + 1
                # Not all processes at the same moment.
                pause = min(self._again_seconds * 2**failures, self._longest_pause) * random.uniform(0.5, 1)  # noqa: S311
                await asyncio.sleep(pause)

    async def _tell(self) -> None:
        while True:
            await self._has_untold.wait()
            while self._untold:
                topic, _ = self._untold.popitem()
                try:
                    await self._redis.publish(_CHANNEL, f"{self._own} {topic}")
                except BaseException:
                    self._untold[topic] = None
                    raise
            self._has_untold.clear()

    async def _listen(self) -> None:
        async with self._redis.pubsub() as pubsub:
            await pubsub.subscribe(_CHANNEL)
            # Only now is nothing lost any more.
            self._here.publish_all()
            await self._receive(pubsub)

    async def _receive(self, pubsub: PubSub) -> None:
        asked = False
        while True:
            message = await pubsub.get_message(timeout=self._quiet_seconds)
            if message is None:
                if asked:
                    raise TimeoutError("it is silent")
                await pubsub.ping()
                asked = True
                continue
            asked = False
            if message["type"] == "message":
                sender, _, topic = message["data"].decode().partition(" ")
                if sender != self._own:
                    self._here.publish(topic)
