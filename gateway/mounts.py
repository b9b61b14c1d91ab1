"""The mount table: one line an audience, found by the first segment of the path, not by a scan of routes."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from commerce.usage.entities import Deprecation
from core.bulkheads import Bulkheads, Capacity
from core.pools import enter_share
from core.settings import CapacitySettings, Settings
from core.web.errors import ErrorRenderer
from core.web.table import enter
from core.web.urls import route_path
from graphql_api.app import create_graphql_app
from graphql_api.deprecated import deprecations as deprecated_members
from graphql_api.errors import render_error as render_graphql_error
from graphql_api.schema import build_schema
from internal_api.app import create_internal_app
from internal_api.errors import render_error as render_internal_error
from public_api.app import create_public_app, deprecated_operations
from public_api.errors import problem_renderer


@dataclass(frozen=True, slots=True)
class Audience:
    """`render` is its error shape, for what fails before its application is reached. `places`: how many of its
    requests run, how many wait, and how many places are reserved.
    """

    name: str
    create: Callable[[Settings], FastAPI]
    render: Callable[[Settings], ErrorRenderer]
    places: Callable[[CapacitySettings], tuple[int, int, int]]


AUDIENCES = (
    Audience(
        "public",
        create_public_app,
        problem_renderer,
        lambda has: (has.public_running, has.public_waiting, has.public_reserved),
    ),
    Audience(
        "internal",
        create_internal_app,
        lambda _settings: render_internal_error,
        lambda has: (has.internal_running, has.internal_waiting, 0),
    ),
    Audience(
        "graphql",
        create_graphql_app,
        lambda _settings: render_graphql_error,
        lambda has: (has.graphql_running, has.graphql_waiting, 0),
    ),
)


def bulkheads(settings: Settings) -> Bulkheads:
    """The wall of each audience."""
    has = settings.capacity
    capacities = {}
    for audience in AUDIENCES:
        running, waiting, reserved = audience.places(has)
        capacities[audience.name] = Capacity(running, waiting, has.queue_seconds, reserved, has.audience_threads)
    return Bulkheads(capacities)


def deprecations(settings: Settings) -> list[Deprecation]:
    """What every audience has deprecated."""
    return [*deprecated_operations(), *deprecated_members(build_schema(production=settings.is_production)._schema)]  # noqa: SLF001


_DEFAULT_LIFESPANS = tuple(type(app.router.lifespan_context) for app in (FastAPI(), Starlette()))


class LifespanInMount(Exception):
    """A mounted application has a lifespan, which would never run: resources belong to the root's."""


class ExactMount(Mount):
    """A mount that takes its bare path too. Starlette answers that with a 307, which WebSockets and CORS preflights
    do not follow.
    """


class MountDispatcher:
    """Hands a request to the mount of its first path segment, or to the root's own routes."""

    def __init__(self, app: ASGIApp, root: FastAPI) -> None:
        self.app = app
        self._router = root.router
        self._mounts = {route.path.strip("/"): route for route in root.router.routes if isinstance(route, ExactMount)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            path = route_path(scope)
            mount = self._mounts.get(path.split("/", 2)[1])
            if mount is not None:
                if path == mount.path:
                    scope["path"] += "/"
                enter(mount, scope)
                scope["router"] = self._router  # url_for knows every mount, from inside each
                scope["portico.audience"] = mount.name
                enter_share(mount.path, scope.get("method", "GET"))
                await mount.app(scope, receive, send)
                return
        await self.app(scope, receive, send)


def mount(root: FastAPI, name: str, app: ASGIApp) -> BaseRoute:
    """Mounts an application under `/name`. Raises LifespanInMount for one that has a lifespan, or mounts one."""
    refuse_lifespans(app, name)
    route = ExactMount(f"/{name}", app=app, name=name)
    root.router.routes.append(route)
    return route


def refuse_lifespans(app: ASGIApp, name: str) -> None:
    """Looks into every Starlette or FastAPI application below, by whatever router it is reached."""
    if not isinstance(app, Starlette):
        return
    if _has_lifespan(app):
        raise LifespanInMount(f"{name}: a mounted application's lifespan never runs; open its resources in the root's")
    for route in app.router.routes:
        if isinstance(route, Mount):
            refuse_lifespans(route.app, f"{name}{route.path}")


def _has_lifespan(app: Starlette) -> bool:
    router = app.router
    handlers = [*getattr(router, "on_startup", ()), *getattr(router, "on_shutdown", ())]
    return bool(handlers) or not _does_nothing(router.lifespan_context)


def _does_nothing(lifespan: Any) -> bool:
    """Whether it is a framework's default, or what `include_router` makes of two of them."""
    if isinstance(lifespan, _DEFAULT_LIFESPANS):
        return True
    inner = inspect.unwrap(lifespan)
    if getattr(inner, "__name__", "") != "merged_lifespan":
        return False
    return all(_does_nothing(cell.cell_contents) for cell in inner.__closure__ or ())
