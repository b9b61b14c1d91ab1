"""One attempt over HTTP: a POST that follows no redirect, keeps no connection, and reads no more than it keeps."""

import asyncio
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from importlib.metadata import version
from typing import Protocol

import httpcore2
import structlog
from prometheus_client import Histogram

from core.outbound import ForbiddenAddress

log = structlog.get_logger("portico.webhooks")
# Its count is the number of attempts.
WEBHOOK_SECONDS = Histogram(
    "portico_webhook_duration_seconds",
    "Time that a receiver of webhooks took, by outcome: accepted, refused, unanswered.",
    ("outcome",),
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0),
)
TIMEOUT_SECONDS = 15.0
_EXCERPT_BYTES = 1024
_HEADERS = {
    "Content-Type": "application/cloudevents+json",
    "User-Agent": f"Portico-Webhooks/{version('portico')}",
    "Accept": "*/*",
    "Connection": "close",
}
_LONGEST_WAIT = 7 * 24 * 3600  # seconds: a Retry-After beyond it is nonsense


@dataclass(frozen=True, slots=True)
class Answer:
    """`status` None: there was none, and `error` says why. `excerpt`: the first KiB of the body, as text."""

    status: int | None
    error: str | None
    excerpt: str | None
    retry_after: timedelta | None
    duration_ms: int

    @property
    def accepted(self) -> bool:
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004

    @property
    def gone(self) -> bool:
        return self.status == 410  # noqa: PLR2004


class Send(Protocol):
    async def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Never raises for what the other side does."""
        ...


class Sender:
    """Each attempt has a connection of its own through `network`, so that an address is checked each time."""

    def __init__(
        self,
        network: httpcore2.AsyncNetworkBackend,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._network = network
        self._timeout = timeout_seconds
        self._tls = tls

    async def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        began = time.perf_counter()
        exchange = _Exchange()
        try:
            async with asyncio.timeout(self._timeout):
                await exchange.run(self._pool(), url, {**_HEADERS, **headers}, body)
        except TimeoutError:
            error: str | None = f"no answer within {self._timeout:g} s"
        except ForbiddenAddress as refused:
            error = str(refused)
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException, OSError) as failure:
            error = f"{type(failure).__name__}: {failure}".rstrip(": ")
        else:
            error = None
        answered, seconds = exchange.status is not None, time.perf_counter() - began
        answer = Answer(
            status=exchange.status,
            error=None if answered else error,
            excerpt=_text(exchange.body) if answered else None,
            retry_after=exchange.retry_after,
            duration_ms=round(seconds * 1000),
        )
        outcome = "accepted" if answer.accepted else "refused" if answered else "unanswered"
        WEBHOOK_SECONDS.labels(outcome).observe(seconds)
        return answer

    def _pool(self) -> httpcore2.AsyncConnectionPool:
        return httpcore2.AsyncConnectionPool(
            ssl_context=self._tls or _tls(), max_connections=1, network_backend=self._network
        )


class _Exchange:
    """What has come back so far: a status counts also where the body breaks off."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.retry_after: timedelta | None = None
        self.body = b""

    async def run(self, pool: httpcore2.AsyncConnectionPool, url: str, headers: Mapping[str, str], body: bytes) -> None:
        async with pool, pool.stream("POST", url, headers=list(headers.items()), content=body) as response:
            given = {name.lower(): value for name, value in response.headers}
            self.retry_after = _retry_after(given.get(b"retry-after"))
            self.status = response.status
            async for chunk in response.aiter_stream():
                self.body += chunk[: _EXCERPT_BYTES - len(self.body)]
                if len(self.body) >= _EXCERPT_BYTES:
                    break


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _retry_after(header: bytes | None) -> timedelta | None:
    """Seconds, or a date (RFC 9110, 10.2.3); None for what is neither."""
    text = (header or b"").decode("latin-1").strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text[:9]), _LONGEST_WAIT))
    try:
        wait = parsedate_to_datetime(text).replace(tzinfo=UTC) - datetime.now(UTC)
    except (ValueError, IndexError, TypeError):
        return None
    return max(wait, timedelta())


def _text(body: bytes) -> str:
    """As PostgreSQL can store it."""
    return body.decode("utf-8", "replace").replace("\0", "\ufffd")
