"""The root stack, pure ASGI, and nothing else: proxy, observation (id, log, metrics, trace, timing), trusted hosts."""

import ipaddress
import re
import secrets
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from core.context import NAMELESS, Client, RequestContext, client_named, enter_request, leave_request
from core.logging import client_fields, write_entry
from core.telemetry import CLIENT_REQUESTS, REQUEST_SECONDS, new_span_id, new_trace_id, parse_traceparent
from core.web.errors import UntrustedHost

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
# Segments of plain characters, none of which climbs (`.`, `..`): it is put before every address that we give out.
_PREFIX = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)+")
_LONGEST_PREFIX = 256
_CLIENT_CLOSED = 499  # nginx's number for a client that left before the answer
_FIRST_ERROR = 400
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
        for name, value in scope["headers"]:
            if name == b"x-forwarded-prefix" and not scope.get("root_path"):
                _set_prefix(scope, value.decode("latin-1").partition(",")[0].strip(" \t").rstrip("/"))
                break
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
        self._seconds: dict[tuple[str, str, str, str], Any] = {}
        self._clients: dict[tuple[str, Client], Any] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        context = _context(scope)
        path = scope["path"]  # as it was asked for: mounts may add a slash
        status, size = 0, 0

        async def observe(message: Message) -> None:
            nonlocal status, size
            kind = message["type"]
            if kind == "http.response.body":
                size += len(message.get("body", b""))
            elif kind in ("http.response.start", "websocket.http.response.start", "websocket.accept"):
                status = message.get("status", 101)
                elapsed = (time.perf_counter() - started) * 1000
                message["headers"] = [*message.get("headers", ()), *_headers(context, elapsed)]
            elif kind == "websocket.close" and not status:
                status = 403
            await send(message)

        token = enter_request(context)
        try:
            await self.app(scope, receive, observe)
        finally:
            leave_request(token)
            self._record(scope, context, path, status or _CLIENT_CLOSED, size, time.perf_counter() - started)

    def _record(self, scope: Scope, context: RequestContext, path: str, status: int, size: int, seconds: float) -> None:
        audience = scope.get("portico.audience", "root")
        method = scope.get("method", "WEBSOCKET")
        route = route_template(scope)
        key = (audience, method if method in _METHODS else "other", route, str(status))
        child = self._seconds.get(key)
        if child is None:
            child = self._seconds[key] = REQUEST_SECONDS.labels(*key)
        child.observe(seconds)
        if context.client is not NAMELESS:
            self._count(audience, context.client)
        client = scope.get("client")
        entry = {
            "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "level": "info" if status < _FIRST_ERROR else "warning",
            "event": "request",
            "method": method,
            "path": path,  # without the query, which may hold a ticket
            "audience": audience,
            "route": route,
            "status": status,
            "duration_ms": round(seconds * 1000, 2),
            "bytes": size,
            "client": client[0] if client else None,
            "request_id": context.request_id,
            "trace_id": context.trace_id,
            **client_fields(context.client),
        }
        if context.error_code is not None:
            entry["code"] = context.error_code
        write_entry(entry)

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
    mounted: str = scope.get("root_path", "")[len(scope.get("app_root_path", scope.get("root_path", ""))) :]
    return f"{mounted}{template}"


_READ = {
    b"x-request-id",
    b"traceparent",
    b"x-client-name",
    b"x-client-version",
    b"apollographql-client-name",
    b"apollographql-client-version",
}


def _context(scope: Scope) -> RequestContext:
    read = {name: value for name, value in scope["headers"] if name in _READ}
    wanted_id = read.get(b"x-request-id", b"")
    request_id = wanted_id.decode() if _REQUEST_ID.fullmatch(wanted_id) else secrets.token_hex(12)
    trace_id, sampled = parse_traceparent(read.get(b"traceparent")) or (new_trace_id(), False)
    return RequestContext(request_id, trace_id, new_span_id(), sampled, _client(read))


def _client(read: dict[bytes, bytes]) -> Client:
    for prefix in (b"x-client-", b"apollographql-client-"):  # the second as Apollo's clients say the same
        name = read.get(prefix + b"name")
        if name is not None:
            return client_named(name.decode("latin-1"), read.get(prefix + b"version", b"").decode("latin-1"))
    return NAMELESS


def _headers(context: RequestContext, milliseconds: float) -> list[tuple[bytes, bytes]]:
    return [
        (b"x-request-id", context.request_id.encode()),
        (b"server-timing", b"total;dur=%.2f" % milliseconds),
        (b"x-process-time-ms", b"%.2f" % milliseconds),
        (b"traceparent", f"00-{context.trace_id}-{context.span_id}-{'01' if context.sampled else '00'}".encode()),
    ]


class TrustedHostsMiddleware:
    """Refuses a Host that is not ours (host header attacks), in the shape of the audience that was asked."""

    def __init__(self, app: ASGIApp, hosts: Sequence[str]) -> None:
        self.app = app
        self._everyone = "*" in hosts
        self._names = {host.lower() for host in hosts if not host.startswith("*")}
        self._endings = tuple(host[1:].lower() for host in hosts if host.startswith("*."))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._everyone and scope["type"] in ("http", "websocket"):
            given = next((value for name, value in scope["headers"] if name == b"host"), b"").decode("latin-1").lower()
            host = given.rpartition(":")[0] if re.search(r":\d*$", given) else given
            if host not in self._names and not (self._endings and host.endswith(self._endings)):
                raise UntrustedHost
        await self.app(scope, receive, send)
