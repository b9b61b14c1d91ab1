"""What all applications of the gateway have in common, and how each is described."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.middleware import Middleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from core.web.errors import ErrorRenderer, install_error_handlers
from core.web.middleware.catch_all import CatchAllMiddleware
from core.web.table import RouteTable


class Application(FastAPI):
    """FastAPI with the layers that are listed, and no net of Starlette's around them: CatchAllMiddleware, the root's in
    the end, answers what nobody handled. Nor is there FastAPI's telemetry, or a second limit of bodies.

    One inside of another shares that one's handlers: it is `framed` by its layers.
    """

    def __init__(self, *, framed: bool = False, **options: Any) -> None:
        super().__init__(openapi_url=None, docs_url=None, redoc_url=None, **options)
        self._framed = framed

    def build_middleware_stack(self) -> ASGIApp:
        app: ASGIApp = RouteTable(self.router)
        if not self._framed:
            app = ExceptionMiddleware(app, self.exception_handlers)
        for layer, positional, named in reversed(self.user_middleware):
            app = layer(app, *positional, **named)
        return app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await super().__call__(scope, receive, send)
            return
        scope["app"] = self
        if self.middleware_stack is None:
            self.middleware_stack = self.build_middleware_stack()
        await self.middleware_stack(scope, receive, send)


def new_app(
    *,
    title: str,
    version: str,
    render: ErrorRenderer,
    outside: Sequence[Middleware] = (),
    inside: Sequence[Middleware] = (),
    **options: Any,
) -> Application:
    """An application with its own middleware, error shape and docs policy: no docs unless it serves them itself.

    `outside` wraps the catch-all (security headers, CORS: what an error needs too), `inside` is wrapped by it.
    """
    layers = [*outside, Middleware(CatchAllMiddleware, render=render), *inside]
    app = Application(title=title, version=version, middleware=layers, **options)
    install_error_handlers(app, render)
    return app


def share_overrides(app: FastAPI, overrides: dict[Callable[..., Any], Callable[..., Any]]) -> None:
    """One `dependency_overrides` for an app and all that are mounted in it: a test overrides once."""
    app.dependency_overrides = overrides
    for inner in mounted_apps(app):
        share_overrides(inner, overrides)


def mounted_apps(app: FastAPI) -> Iterator[FastAPI]:
    for route in app.router.routes:
        if isinstance(route, Mount) and isinstance(route.app, FastAPI):
            yield route.app


def describe(app: FastAPI, prefix: str = "") -> dict[str, Any]:
    """Middleware outermost first, handlers, and every operation with its authorisation rule."""
    operations = [
        {
            "method": method,
            "path": f"{prefix}{context.path_format}",
            "auth": _auth_rule(getattr(context, "dependant", None)),
        }
        for context in iter_route_contexts(app.router.routes)
        if context.path_format is not None and not isinstance(context.original_route, Mount)
        for method in sorted(context.methods or {"WEBSOCKET"})
    ]
    nested = [
        describe(route.app, prefix + route.path)
        for route in app.router.routes
        if isinstance(route, Mount) and isinstance(route.app, FastAPI)
    ]
    return {
        "title": app.title,
        "prefix": prefix,
        "middleware": [getattr(entry.cls, "__name__", str(entry.cls)) for entry in app.user_middleware],
        "handlers": sorted(getattr(kind, "__name__", str(kind)) for kind in app.exception_handlers),
        "operations": operations,
        "mounts": nested,
    }


def _auth_rule(dependant: Any) -> str:
    """The rule that a dependency below the operation states in its `auth_rule`, `public` where none does: the outermost
    of those inside each other, the last of those beside each other, for an operation's own come after its router's.
    """
    return _stated_rule(dependant) or "public"


def _stated_rule(dependant: Any) -> str | None:
    if dependant is None:
        return None
    rule = getattr(dependant.call, "auth_rule", None)
    if isinstance(rule, str):
        return rule
    stated = [rule for inner in dependant.dependencies if (rule := _stated_rule(inner)) is not None]
    return stated[-1] if stated else None
