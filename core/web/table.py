"""Which part of an application a request is for, found by the first segment of its path and not by a scan of routes."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from re import Match
from typing import Any

from fastapi import APIRouter
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from starlette.routing import Mount, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from core.web.middleware.flags import refuse_if_off
from core.web.reads import read_app, read_handler
from core.web.routing import BodyRoute
from core.web.urls import mounted_at


def enter(mount: Mount, scope: Scope) -> None:
    """Makes the scope that of the mount, as Starlette's own matching does."""
    root_path = scope.get("root_path", "")
    scope.setdefault("app_root_path", root_path)
    scope["root_path"] = root_path + mount.path
    scope["endpoint"] = mount.app


@dataclass(frozen=True, slots=True)
class _Operation:
    """Of one method. `template` is its path in the application."""

    match: Callable[[str], Match[str] | None]
    convertors: Mapping[str, Any]
    route: APIRoute
    app: ASGIApp
    template: str


class RouteTable:
    """In place of a FastAPI router, for which it finds mounts and operations. FastAPI's way through the routers that
    were included costs more than many an operation; it is left to what is not found here: another method, a missing
    slash, a WebSocket, an unknown address.
    """

    def __init__(self, router: APIRouter) -> None:
        self._router = router
        self._by_router = AsyncExitStackMiddleware(router)  # where FastAPI keeps files of forms
        self._mounts = {route.path.strip("/"): route for route in router.routes if isinstance(route, Mount)}
        self._operations = _operations(router)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refuse_if_off(scope)
        path = "" if scope["type"] == "lifespan" else scope["path"].removeprefix(scope.get("root_path", ""))
        if not path.startswith("/"):
            await self._router(scope, receive, send)
            return
        scope.setdefault("router", self._router)
        segment = path.split("/", 2)[1]
        mount = self._mounts.get(segment)
        if mount is not None and path != mount.path:
            enter(mount, scope)
            await mount.app(scope, receive, send)
            return
        if scope["type"] == "http":
            for operation in self._operations.get((scope["method"], segment), ()):
                match = operation.match(path)
                if match is not None:
                    _select(operation, match, scope)
                    await operation.app(scope, receive, send)
                    return
        await self._by_router(scope, receive, send)


def _select(operation: _Operation, match: Match[str], scope: Scope) -> None:
    found = match.groupdict()
    for name, text in found.items():
        found[name] = operation.convertors[name].convert(text)
    scope["path_params"] = found
    scope["route"] = operation.route
    scope["endpoint"] = operation.route.endpoint
    scope["portico.route"] = mounted_at(scope) + operation.template


def _operations(router: APIRouter) -> dict[tuple[str, str], list[_Operation]]:
    """By method and first segment, in the order of the routes. None where a route of another kind, or one that begins
    with a parameter, may come before them.
    """
    found = defaultdict(list)
    for context in iter_route_contexts(router.routes):
        route, template = context.original_route, context.path_format or ""
        segment = template.split("/", 2)[1] if "/" in template else ""
        if isinstance(route, Mount | WebSocketRoute):
            continue
        if not isinstance(route, APIRoute) or "{" in segment:
            return {}
        operation = _Operation(
            context.path_regex.match, context.param_convertors, route, _app(context, route), template
        )
        for method in context.methods or ():
            found[method, segment].append(operation)
    return dict(found)


def _app(context: RouteContext, route: APIRoute) -> ASGIApp:
    app: ASGIApp = AsyncExitStackMiddleware(context.app)
    handle = read_handler(context)
    if handle is None:
        return app
    if isinstance(route, BodyRoute):
        handle = route.around(handle)
    return read_app(handle, context.dependency_overrides_provider, app)
