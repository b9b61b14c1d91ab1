"""`create_app`: the whole gateway, put together. Read it as a table of contents."""

import platform
from functools import lru_cache
from importlib.metadata import version as installed_version
from typing import Any

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.types import Scope

from commerce.accounts.throttling import network_of
from core.resources import OpenResources, open_resources
from core.settings import Settings
from core.web.addresses import addresses_of
from core.web.audience import Application, describe, share_overrides
from core.web.errors import ErrorRenderer, Failure, install_error_handlers
from core.web.middleware.catch_all import CatchAllMiddleware
from core.web.middleware.compression import CompressMiddleware
from core.web.middleware.flags import FlagsMiddleware
from core.web.middleware.head import HeadMiddleware
from core.web.middleware.security_headers import SecurityHeadersMiddleware
from core.web.response_cache.keys import Area
from core.web.response_cache.middleware import ResponseCacheMiddleware
from core.web.urls import base_path
from gateway import pages
from gateway.lifespan import root_lifespan
from gateway.middleware import ObserveMiddleware, ProxyMiddleware, TrustedHostsMiddleware, route_template
from gateway.mounts import AUDIENCES, ExactMount, MountDispatcher, bulkheads, deprecations, mount

_SHARED = (
    Area("/public/v"),
    Area("/graphql", varies=(b"accept", b"x-client-name", b"apollographql-client-name"), posts=True),
)
_ADDRESSES = 4_096  # of which the network is remembered
_VERSIONS = ("portico", "fastapi", "starlette", "uvicorn", "strawberry-graphql", "sqlalchemy", "pydantic")


def create_app(settings: Settings, open_resources: OpenResources = open_resources) -> FastAPI:
    """The root application with every audience mounted. Opens nothing: the lifespan does."""
    files = pages.static_files()
    root = Application(
        title="Portico",
        version=installed_version("portico"),
        lifespan=root_lifespan(
            settings,
            open_resources,
            topology=lambda: _topology(root),
            switchable=lambda: _switchable(root),
            deprecations=lambda: deprecations(settings),
            bulkheads=lambda: bulkheads(settings),
            asset=files.path,
        ),
    )
    for audience in AUDIENCES:
        mount(root, audience.name, audience.create(settings))
    mount(root, "static", files)
    root.include_router(pages.router)
    install_error_handlers(root, pages.render_error)
    root.user_middleware = _stack(root, settings)
    share_overrides(root, root.dependency_overrides)
    return root


def _stack(root: FastAPI, settings: Settings) -> list[Middleware]:
    """Outermost first."""
    return [
        # Before all: who the client is and what was asked for, also in the log.
        Middleware(ProxyMiddleware, trusted=settings.server.trusted_proxies),
        Middleware(ObserveMiddleware),
        # What an operator has switched off is not even answered from the cache.
        Middleware(FlagsMiddleware, addresses=lambda: addresses_of(root)),
        # Whole answers of mounts, with all that the layers below put on them.
        Middleware(
            ResponseCacheMiddleware,
            areas=_SHARED,
            origins=settings.cors_origins,
            caller=lru_cache(_ADDRESSES)(network_of),
            label=route_template,
        ),
        # Pages and static files are an audience too; mounts add their own headers first.
        Middleware(SecurityHeadersMiddleware, https_only=settings.is_production),
        # What fails before a mount is reached is answered in that mount's shape.
        Middleware(CatchAllMiddleware, render=_renderer(settings)),
        Middleware(TrustedHostsMiddleware, hosts=settings.server.trusted_hosts),
        Middleware(MountDispatcher, root=root),
        # For pages alone: mounts bring their own.
        Middleware(CompressMiddleware),
        Middleware(HeadMiddleware),
    ]


def _renderer(settings: Settings) -> ErrorRenderer:
    by_name = {audience.name: audience.render(settings) for audience in AUDIENCES}

    def render(failure: Failure, scope: Scope, /) -> Response:
        segment = scope["path"].removeprefix(base_path(scope)).removeprefix("/").partition("/")[0]
        return by_name.get(segment, pages.render_error)(failure, scope)

    return render


def _switchable(root: FastAPI) -> set[str]:
    mounts = {route.path.strip("/") for route in root.router.routes if isinstance(route, ExactMount)}
    return mounts | {address.name for address in addresses_of(root)}


def _topology(root: FastAPI) -> dict[str, Any]:
    described = describe(root)
    described["mounts"].append({"title": "Static files", "prefix": "/static", "middleware": [], "operations": []})
    versions = {name: installed_version(name) for name in _VERSIONS}
    return {"root": described, "versions": {"python": platform.python_version(), **versions}}
