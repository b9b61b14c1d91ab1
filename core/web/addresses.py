"""Which route an address is, found before any application has routed it: slowly, for what is seldom asked."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import Mount
from starlette.types import Scope

from core.web.urls import route_path


@dataclass(frozen=True, slots=True)
class Address:
    """Of one method, or of a WebSocket. `template` has no slash at its end: a mount's bare path is one."""

    method: str
    template: str
    prefix: str
    match: Callable[[str], Any]

    @property
    def name(self) -> str:
        """`POST /public/v1/orders`."""
        return f"{self.method} {self.template}"


def addresses_of(app: FastAPI, prefix: str = "") -> Iterator[Address]:
    """In the order in which they are matched."""
    for context in iter_route_contexts(app.router.routes):
        if context.path_format is None or isinstance(context.original_route, Mount):
            continue
        template = f"{prefix}{context.path_format}".rstrip("/") or "/"
        for method in sorted(context.methods or {"WEBSOCKET"}):
            yield Address(method, template, prefix, context.path_regex.match)
    for route in app.router.routes:
        if isinstance(route, Mount) and isinstance(route.app, FastAPI):
            yield from addresses_of(route.app, prefix + route.path)


def address_in(addresses: Sequence[Address], scope: Scope) -> Address | None:
    """That of a request to the root application. HEAD is answered as GET is."""
    method = scope.get("method", "WEBSOCKET")
    method = "GET" if method == "HEAD" else method
    path = route_path(scope)
    for address in addresses:
        if address.method == method and path.startswith(address.prefix):
            rest = path[len(address.prefix) :] or "/"
            if address.match(rest):
                return address
    return None
