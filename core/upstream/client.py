"""The one HTTP client of the process: no redirects, no cookies, no proxies but the given one, bodies within a bound."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib.metadata import version
from urllib.parse import urlsplit

import httpcore2
import httpx2

from core import tracing
from core.outbound import ForbiddenAddress, GuardedNetwork, Options
from core.upstream.calls import Answer, BrokenAnswer, Send, Upstream, UpstreamFailed

MOST_BYTES = 64 * 1024
# Each upstream has its share of connections (upstreams.py); in a common pool a slow one would take the others'.
_LIMITS = httpx2.Limits(max_connections=None, max_keepalive_connections=20, keepalive_expiry=30)
_TIMEOUT = httpx2.Timeout(30, connect=5)  # the deadline of a question is shorter
_HEADERS = {
    "Content-Type": "application/json",
    "Accept": "application/json",
    "Accept-Encoding": "identity",  # nothing that inflates
    "User-Agent": f"Portico/{version('portico')}",
}
_OK = 200
_PORTS = {"http": 80, "https": 443}


@asynccontextmanager
async def open_client(
    *, allow_private: bool, private_hosts: Collection[str] = (), proxy: str | None = None
) -> AsyncIterator[Send]:
    """As `open_http`."""
    async with open_http(allow_private=allow_private, private_hosts=private_hosts, proxy=proxy) as client:
        yield _Sender(client)


@asynccontextmanager
async def open_http(
    *, allow_private: bool, private_hosts: Collection[str] = (), proxy: str | None = None
) -> AsyncIterator[httpx2.AsyncClient]:
    """Connects to public addresses alone, and to any of `private_hosts`; `allow_private`, for development, to all.
    Through a proxy, it is that which connects.
    """
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # it logs addresses, which may hold credentials
    network = _Network(allow_private=allow_private, private_hosts=private_hosts)
    transport = httpx2.AsyncHTTPTransport(proxy=proxy, trust_env=False, limits=_LIMITS) if proxy else _Guarded(network)
    async with httpx2.AsyncClient(
        transport=transport,
        timeout=_TIMEOUT,
        trust_env=False,
        follow_redirects=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        headers=_HEADERS,
    ) as client:
        yield client


async def reach(url: str, *, allow_private: bool, private_hosts: Collection[str] = (), proxy: str | None = None) -> str:
    """Connects as a question would, and asks nothing. Returns where to. Raises ConnectionError: it says why, and
    nothing of the address that may be a credential.
    """
    asked = urlsplit(proxy or url)
    host, port = asked.hostname or "", asked.port or _PORTS[asked.scheme]
    network = _Network(allow_private=allow_private or proxy is not None, private_hosts=private_hosts)
    try:
        stream = await network.connect_tcp(host, port, _TIMEOUT.connect)
        try:
            if asked.scheme == "https":
                stream = await stream.start_tls(ssl.create_default_context(), host, _TIMEOUT.connect)
        finally:
            await stream.aclose()
    except ForbiddenAddress as refused:
        raise ConnectionError(f"{host}: {refused}") from refused
    except (httpcore2.NetworkError, httpcore2.TimeoutException) as failure:
        raise ConnectionError(f"{host}:{port} does not answer: {type(failure).__name__}") from failure
    return f"{host}:{port}"


class _Sender:
    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client

    async def __call__(self, upstream: Upstream, body: bytes) -> Answer:
        traceparent = tracing.traceparent()
        headers = upstream.headers if traceparent is None else {**upstream.headers, "traceparent": traceparent}
        try:
            async with self._client.stream("POST", upstream.url, content=body, headers=headers) as response:
                kept = await _bounded(response) if response.status_code == _OK else b""
                return Answer(response.status_code, kept)
        except httpx2.TimeoutException:
            raise TimeoutError from None
        except (httpx2.HTTPError, httpx2.StreamError, OSError) as error:
            # Its text may hold the address.
            raise UpstreamFailed("failed", type(error).__name__, repeatable=True) from None


async def _bounded(response: httpx2.Response) -> bytes:
    body = b""
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > MOST_BYTES:
            raise BrokenAnswer(f"more than {MOST_BYTES} bytes")
    return body


class _Guarded(httpx2.AsyncHTTPTransport):
    """httpx2 has no seam for the network below its pool."""

    def __init__(self, network: httpcore2.AsyncNetworkBackend) -> None:
        tls = ssl.create_default_context()
        super().__init__(verify=tls)
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=_LIMITS.max_connections,
            max_keepalive_connections=_LIMITS.max_keepalive_connections,
            keepalive_expiry=_LIMITS.keepalive_expiry,
            network_backend=network,
        )


class _Network(httpcore2.AsyncNetworkBackend):
    def __init__(self, *, allow_private: bool, private_hosts: Collection[str]) -> None:
        self._guarded = GuardedNetwork(allow_private=allow_private)
        self._open = GuardedNetwork(allow_private=True)
        self._private_hosts = private_hosts

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  httpcore2's
        local_address: str | None = None,
        socket_options: Options | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        network = self._open if host in self._private_hosts else self._guarded
        return await network.connect_tcp(host, port, timeout, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
