"""Answers from the cache, and keeps what may be shared: pure ASGI, before everything that costs."""

from collections.abc import Callable, Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.budget import Budget
from core.context import current_request
from core.receipts import tell
from core.web.finished import finished
from core.web.headers import headers_of
from core.web.middleware.flags import is_off
from core.web.middleware.quota import told_quota
from core.web.replaying import replaying
from core.web.response_cache import allow_forgetting, metrics, open_sharing
from core.web.response_cache.entry import FRESH_SECONDS, Entry, Made, may_be_kept
from core.web.response_cache.keys import Area, Keys, address_of, is_plain_json, operation_of
from core.web.response_cache.store import Key, ResponseCache

_LARGEST_OPERATION = 64 * 1024  # bytes that are read before the application is reached
_DIGITS = 5  # of its length; what says that it is longer is the application's to refuse
_BYPASS = b"portico; fwd=bypass"
_METHOD = b"portico; fwd=method"
_MISS = b"portico; fwd=uri-miss"
_STORED = b"portico; fwd=uri-miss; stored"
_AWAY = "database_unavailable"  # the code
_COLLAPSED = b"age: 0\r\ncache-status: portico; fwd=uri-miss; collapsed\r\n"
# What a request that the cache itself makes must not have of that which caused it.
_OF_CALLER = ("portico.headers", "portico.route")


class ResponseCacheMiddleware:
    """Stands where whole answers pass, headers of security and all. The cache is the process's (`state.responses`);
    without one everything is the application's.

    `caller`: who pays, by address. `label`: the route that an application left in the scope.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        areas: Sequence[Area],
        origins: Sequence[str],
        caller: Callable[[str], str],
        label: Callable[[Scope], str],
    ) -> None:
        self.app = app
        self._keys = Keys(areas, origins)
        self._caller = caller
        self._label = label

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        area = self._keys.area(scope) if scope["type"] == "http" else None
        cache: ResponseCache | None = scope["state"].get("responses") if area is not None else None
        if area is None or cache is None or not area.takes(scope["method"]) or is_off(scope):
            await self.app(scope, receive, send)
            return
        key = self._keys.of(scope, area)
        if key is None:
            await self._bypass(cache, scope, receive, send)
            return
        body = b""
        if scope["method"] == "POST":
            body, receive = await _read(scope, receive)
            operation = operation_of(body)
            if operation is None:
                await self._pass(_METHOD, scope, receive, send)
                return
            key = (*key, operation)
        await self._serve(cache, key, body, scope, receive, send)

    async def _serve(
        self, cache: ResponseCache, key: Key, body: bytes, scope: Scope, receive: Receive, send: Send
    ) -> None:
        while True:
            entry = cache.get(key)
            if entry is not None:
                now = cache.now()
                if now - entry.made <= FRESH_SECONDS:
                    metrics.HIT.inc()
                elif await self._give_resting(cache, key, scope, receive, send):
                    return
                else:
                    metrics.STALE.inc()
                    self._refresh(cache, key, body, scope)
                await self._give(entry, entry.told(now), scope, receive, send)
                return
            flight = cache.flight(key)
            if await self._give_resting(cache, key, scope, receive, send, trying=flight is not None):
                return
            if flight is None or not cache.may_be_shared(key):
                break
            await flight.landed.wait()
            if flight.entry is not None:
                metrics.COLLAPSED.inc()
                await self._give(flight.entry, _COLLAPSED, scope, receive, send)
                return
            if not flight.failed and cache.left(key) is None:  # it is the other's own
                break
        metrics.MISS.inc()
        await self._make_or_give(cache, key, scope, receive, send)

    async def _make_or_give(self, cache: ResponseCache, key: Key, scope: Scope, receive: Receive, send: Send) -> None:
        """What the application answers, unless that is that the database is away and there is an answer of before."""
        left: tuple[Entry, bool] | None = None

        async def watch(message: Message) -> None:
            nonlocal left
            if message["type"] == "http.response.start" and _is_away():
                cache.fail(key)
                left = cache.left(key)
            if left is None:
                await send(message)

        # A 304 of the application costs it less than an answer that can be kept.
        if scope["method"] == "HEAD" or b"if-none-match" in headers_of(scope):
            await self._pass(_MISS, scope, receive, watch)
        else:
            await self._make(cache, key, scope, receive, watch)
        if left is not None:
            await self._give_left(cache, *left, scope, receive, send)

    async def _give_resting(
        self, cache: ResponseCache, key: Key, scope: Scope, receive: Receive, send: Send, *, trying: bool = False
    ) -> bool:
        """Gives what is left where the database was away a moment ago, or was and another request is finding out
        whether it still is. One of them waits for it, and no herd.
        """
        left = cache.left(key)
        if left is None or not cache.is_failing(key, tried=trying):
            return False
        await self._give_left(cache, *left, scope, receive, send)
        return True

    async def _give_left(
        self, cache: ResponseCache, entry: Entry, changed: bool, scope: Scope, receive: Receive, send: Send
    ) -> None:
        metrics.ON_ERROR.inc()
        await self._give(entry, entry.told_on_error(cache.now(), changed=changed), scope, receive, send)

    async def _give(self, entry: Entry, told: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        budget: Budget = scope["state"]["resources"].budget
        client = scope.get("client")
        verdict = scope["state"].get("quota")  # of an attempt that failed
        if verdict is None and entry.points:
            verdict = await budget.spend(self._caller(client[0] if client else ""), entry.points)
        if verdict is not None and not verdict.allowed:  # the application says so, in its shape
            await self._pass(_BYPASS, scope, receive, send)
            return
        for count in entry.counts:
            count(scope)
        scope["portico.route"], scope["portico.audience"] = entry.route, entry.audience
        if verdict is not None:
            told += told_quota(verdict)
        if_none_match = headers_of(scope).get(b"if-none-match")
        if if_none_match is not None and entry.is_current(if_none_match):
            await send(finished(304, entry.not_modified + told, b""))
            return
        body = entry.body_for(verdict)
        if entry.has_tail:
            told += b"content-length: %d\r\n" % len(body)
        await send(finished(200, entry.head + told, body if scope["method"] != "HEAD" else b""))

    async def _make(
        self, cache: ResponseCache, key: Key, scope: Scope, receive: Receive, send: Send, *, quiet: bool = False
    ) -> None:
        flight = cache.begin(key)
        sharing = open_sharing(scope, quiet=quiet)
        address = address_of(scope)
        started: Message | None = None

        async def watch(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                if sharing.tags is not None and may_be_kept(message["status"], message["headers"]):
                    started = message
                    return
                cache.land(flight, None, status=message["status"], away=_is_away())
                message = _telling(message, _MISS)
            elif started is not None:
                start, started = started, None
                whole = message["type"] == "http.response.body" and not message.get("more_body", False)
                sharing.tags = frozenset((*(sharing.tags or ()), address))
                answer = Made(sharing, start["headers"], message.get("body", b""), *self._labels(scope))
                entry = Entry(answer, cache.now()) if whole else None
                kept = cache.land(flight, entry, status=start["status"])
                await send(_telling(start, _STORED if kept else _MISS))
            await send(message)

        try:
            await self.app(scope, receive, watch)
        finally:
            cache.end(flight)

    def _labels(self, scope: Scope) -> tuple[str, str]:
        return self._label(scope), scope.get("portico.audience", "root")

    def _refresh(self, cache: ResponseCache, key: Key, body: bytes, scope: Scope) -> None:
        """For whoever comes next; who found it stale pays for it."""
        again = {name: value for name, value in scope.items() if name not in _OF_CALLER}
        again["method"] = "GET" if scope["method"] == "HEAD" else scope["method"]
        again["headers"] = [header for header in scope["headers"] if header[0] != b"if-none-match"]
        again["state"] = dict(scope["state"])
        receive = replaying([{"type": "http.request", "body": body, "more_body": False}], _gone)
        cache.refresh(key, lambda: self._make(cache, key, again, receive, _nobody, quiet=True))

    async def _bypass(self, cache: ResponseCache, scope: Scope, receive: Receive, send: Send) -> None:
        metrics.BYPASS.inc()
        if b"no-cache" in headers_of(scope).get(b"cache-control", b"").lower():
            address = address_of(scope)
            allow_forgetting(scope, lambda: cache.purge((address,)))
        await self._pass(_BYPASS, scope, receive, send)

    async def _pass(self, status: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        async def tell(message: Message) -> None:
            await send(_telling(message, status) if message["type"] == "http.response.start" else message)

        await self.app(scope, receive, tell)


def _is_away() -> bool:
    """Whether the request failed because the database is away, as its answer's code says."""
    request = current_request()
    return request is not None and request.error_code == _AWAY


def _telling(start: Message, status: bytes) -> Message:
    tell("cache", status.decode())
    start["headers"] = [*start.get("headers", ()), (b"cache-status", status)]
    return start


async def _nobody(_message: Message) -> None: ...


async def _gone() -> Message:
    return {"type": "http.disconnect"}


async def _read(scope: Scope, receive: Receive) -> tuple[bytes, Receive]:
    """The body, empty where it is too long, or not what is looked for; and what gives all of it to the application."""
    headers = headers_of(scope)
    if not is_plain_json(headers) or len(headers.get(b"content-length", b"")) > _DIGITS:
        return b"", receive
    taken: list[Message] = []
    body, more = b"", True
    while more and len(body) <= _LARGEST_OPERATION:
        message = await receive()
        taken.append(message)
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return (b"" if more or len(body) > _LARGEST_OPERATION else body), replaying(taken, receive)
