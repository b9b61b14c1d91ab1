"""The root stack, pure ASGI, and nothing else: proxy, observation (id, log, metrics, trace, timing), trusted hosts."""

import ipaddress
import re
import time
from collections.abc import Sequence
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from commerce.receipts.recorder import SLOW_SECONDS, ReceiptRecorder
from core.context import NAMELESS, Client, RequestContext, client_named, enter_request, leave_request
from core.logging import client_fields, quoted, timestamp, write_entry
from core.telemetry import CLIENT_REQUESTS, REQUESTS, new_ids, parse_traceparent
from core.web.errors import UntrustedHost
from core.web.finished import FINISHED, finish, headers_in
from core.web.headers import headers_of
from core.web.urls import mounted_at

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
# Segments of plain characters, none of which climbs (`.`, `..`): it is put before every address that we give out.
_PREFIX = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)+")
_LONGEST_PREFIX = 256
_PORT = re.compile(r":\d*$")
# Of the second kind, what Apollo's clients say by themselves.
_CLIENT_HEADERS = (
    (b"x-client-name", b"x-client-version"),
    (b"apollographql-client-name", b"apollographql-client-version"),
)
_CLIENT_CLOSED = 499  # nginx's number for a client that left before the answer
_FIRST_ERROR = 400
_SWITCHING = 101
_SAMPLED = "00"  # how a span's id may begin, which is random: of hits of the response cache one in 256 has a receipt
_MOST_CLIENTS = 200  # and versions and audiences of them


class ProxyMiddleware:
    """X-Forwarded-Prefix, -Proto and -For, believed from trusted peers alone.

    The prefix becomes `root_path`, whether the proxy took it off the path or left it on.
    """

    def __init__(self, app: ASGIApp, trusted: Sequence[str]) -> None:
        self.app = app
        self._everyone = "*" in trusted
        self._networks = [ipaddress.ip_network(each, strict=False) for each in trusted if each != "*"]
        self._forwarded: Any = ProxyHeadersMiddleware(app, trusted_hosts=list(trusted))  # type: ignore[arg-type]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or not self._trusts(scope.get("client")):
            await self.app(scope, receive, send)
            return
        prefix = headers_of(scope).get(b"x-forwarded-prefix")
        if prefix is not None and not scope.get("root_path"):
            _set_prefix(scope, prefix.decode("latin-1").partition(",")[0].strip(" \t").rstrip("/"))
        await self._forwarded(scope, receive, send)

    def _trusts(self, client: tuple[str, int] | None) -> bool:
        if self._everyone:
            return True
        if client is None or not self._networks:
            return False
        try:
            address = ipaddress.ip_address(client[0])
        except ValueError:
            return False
        return any(address in network for network in self._networks)


def _set_prefix(scope: Scope, prefix: str) -> None:
    if len(prefix) > _LONGEST_PREFIX or not _PREFIX.fullmatch(prefix):
        return
    scope["root_path"] = prefix
    path: str = scope["path"]
    if path != prefix and not path.startswith(f"{prefix}/"):
        scope["path"] = prefix + path


class ObserveMiddleware:
    """One layer that sees every request once: its id, one access-log line, metrics by route template, trace context,
    and the timing headers. It stands outside all that may fail.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._clients: dict[tuple[str, Client], Any] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        context = _context(headers_of(scope))
        path = scope["path"]  # as it was asked for: mounts may add a slash
        status, size = 0, 0
        answered = 0.0
        cached = False

        async def observe(message: Message) -> None:
            nonlocal status, size, answered, cached
            kind = message["type"]
            if kind == FINISHED:
                status, size, cached = message["status"], len(message["body"]), True
                await finish(message, _head(context, started), scope, send)
                return
            if kind == "http.response.body":
                size += len(message.get("body", b""))
            elif kind in _STARTS:
                status = message.get("status", _SWITCHING)
                answered = time.perf_counter() - started
                message["headers"] = [*message.get("headers", ()), *headers_in(_head(context, started))]
                if status == _SWITCHING:  # a socket may be open for days: its handshake is what has a receipt
                    _keep(scope, context, status, answered, answered)
            elif kind == "websocket.close" and not status:
                status = 403
            await send(message)

        token = enter_request(context)
        try:
            await self.app(scope, receive, observe)
        finally:
            leave_request(token)
            seconds = time.perf_counter() - started
            self._record(scope, context, path, status or _CLIENT_CLOSED, size, seconds)
            if status != _SWITCHING and (not cached or seconds >= SLOW_SECONDS or context.span_id.startswith(_SAMPLED)):
                _keep(scope, context, status or _CLIENT_CLOSED, answered or seconds, seconds, cached=cached)

    def _record(self, scope: Scope, context: RequestContext, path: str, status: int, size: int, seconds: float) -> None:
        audience = scope.get("portico.audience", "root")
        method = scope.get("method", "WEBSOCKET")
        route = route_template(scope)
        REQUESTS.observe((audience, method if method in _METHODS else "other", route, status), seconds)
        if context.client is not NAMELESS:
            self._count(audience, context.client)
        client = scope.get("client")
        write_entry(
            f'{{"timestamp":"{timestamp(time.time())}","level":"{"info" if status < _FIRST_ERROR else "warning"}",'
            f'"event":"request","method":{quoted(method)},'
            f'"path":{quoted(path)},'  # without the query, which may hold a ticket
            f'"audience":{quoted(audience)},"route":{quoted(route)},"status":{status},'
            f'"duration_ms":{seconds * 1000:.2f},"bytes":{size},"client":{quoted(client[0] if client else None)},'
            f'"request_id":"{context.request_id}","trace_id":"{context.trace_id}"{_more(context)}}}'
        )

    def _count(self, audience: str, client: Client) -> None:
        """Names are whatever callers say: the first many have a series of their own."""
        child = self._clients.get((audience, client))
        if child is None:
            if len(self._clients) < _MOST_CLIENTS:
                child = CLIENT_REQUESTS.labels(audience, client.name, client.version)
                self._clients[audience, client] = child
            else:
                child = CLIENT_REQUESTS.labels(audience, "other", "")
        child.inc()


def _keep(
    scope: Scope, context: RequestContext, status: int, answered: float, total: float, *, cached: bool = False
) -> None:
    """A receipt; `cached`: what came out of the response cache says nothing itself."""
    receipts: ReceiptRecorder | None = scope["state"].get("receipts")
    if receipts is not None:
        receipts.record(
            context,
            audience=scope.get("portico.audience", "root"),
            method=scope.get("method", "WEBSOCKET"),
            route=route_template(scope),
            status=status,
            answered=answered,
            total=total,
            cached=cached,
        )


def _more(context: RequestContext) -> str:
    """Of an entry, what few have."""
    if context.client is NAMELESS and context.error_code is None:
        return ""
    told = client_fields(context.client) | ({"code": context.error_code} if context.error_code is not None else {})
    return "".join(f',"{name}":{quoted(value)}' for name, value in told.items())


_STARTS = frozenset(("http.response.start", "websocket.http.response.start", "websocket.accept"))
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "WEBSOCKET"}


def route_template(scope: Scope) -> str:
    """`/public/v1/products/{id_or_handle}`, as the inner applications left it in the scope; one constant for all
    addresses that no route has, so that a scanner cannot fill the metrics. Who answers before routing says the
    finished label in `portico.route`.
    """
    told: str | None = scope.get("portico.route")
    if told is not None:
        return told
    effective = scope.get("fastapi", {}).get("effective_route_context")
    if effective is not None:
        template = (
            getattr(effective.starlette_route, "path_format", None) or effective.path_format
        )  # a socket's, or not
    else:
        template = getattr(scope.get("route"), "path", None)
    if scope.get("portico.audience") == "static":
        return "/static/{path}"
    if template is None:
        return "unmatched"
    return f"{mounted_at(scope)}{template}"


def _context(headers: dict[bytes, bytes]) -> RequestContext:
    request_id, trace_id, span_id = new_ids()
    sampled = False
    wanted_id = headers.get(b"x-request-id")
    if wanted_id is not None and _REQUEST_ID.fullmatch(wanted_id):
        request_id = wanted_id.decode()
    given = headers.get(b"traceparent")
    if given is not None:
        trace_id, sampled = parse_traceparent(given) or (trace_id, False)
    return RequestContext(request_id, trace_id, span_id, sampled, _client(headers))


def _client(headers: dict[bytes, bytes]) -> Client:
    for name, version in _CLIENT_HEADERS:
        given = headers.get(name)
        if given is not None:
            return client_named(given.decode("latin-1"), headers.get(version, b"").decode("latin-1"))
    return NAMELESS


def _head(context: RequestContext, started: float) -> bytes:
    milliseconds = f"{(time.perf_counter() - started) * 1000:.2f}"
    return (
        f"x-request-id: {context.request_id}\r\n"
        f"server-timing: total;dur={milliseconds}\r\n"
        f"x-process-time-ms: {milliseconds}\r\n"
        f"traceparent: 00-{context.trace_id}-{context.span_id}-{'01' if context.sampled else '00'}\r\n"
    ).encode()


class TrustedHostsMiddleware:
    """Refuses a Host that is not ours (host header attacks), in the shape of the audience that was asked."""

    def __init__(self, app: ASGIApp, hosts: Sequence[str]) -> None:
        self.app = app
        self._everyone = "*" in hosts
        self._names = {host.lower() for host in hosts if not host.startswith("*")}
        self._endings = tuple(host[1:].lower() for host in hosts if host.startswith("*."))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._everyone and scope["type"] in ("http", "websocket"):
            given = headers_of(scope).get(b"host", b"").decode("latin-1").lower()
            if given not in self._names and not self._trusts(_PORT.sub("", given)):
                raise UntrustedHost
        await self.app(scope, receive, send)

    def _trusts(self, host: str) -> bool:
        return host in self._names or (bool(self._endings) and host.endswith(self._endings))
