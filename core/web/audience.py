"""What all applications of the gateway have in common, and how each is described."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.middleware import Middleware
from starlette.routing import Mount

from core.web.errors import ErrorRenderer, install_error_handlers
from core.web.middleware.catch_all import CatchAllMiddleware


def new_app(
    *,
    title: str,
    version: str,
    render: ErrorRenderer,
    outside: Sequence[Middleware] = (),
    inside: Sequence[Middleware] = (),
    **options: Any,
) -> FastAPI:
    """An application with its own middleware, error shape and docs policy: no docs unless it serves them itself.

    `outside` wraps the catch-all (security headers, CORS: what an error needs too), `inside` is wrapped by it.
    """
    app = FastAPI(
        title=title,
        version=version,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        middleware=[*outside, Middleware(CatchAllMiddleware, render=render), *inside],
        **options,
    )
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
