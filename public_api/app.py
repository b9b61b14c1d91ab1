"""The public application: versions side by side in one frame of middleware, and their documentation."""

import re
from collections.abc import Sequence
from importlib.metadata import version as installed_version
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.types import Scope

from commerce.usage.entities import Deprecation
from core.settings import Settings
from core.web.audience import Application, new_app
from core.web.middleware.body_limit import BodyLimitMiddleware
from core.web.middleware.bulkhead import BulkheadMiddleware
from core.web.middleware.compression import CompressMiddleware
from core.web.middleware.cors import cors
from core.web.middleware.head import HeadMiddleware
from core.web.middleware.quota import QuotaMiddleware
from core.web.middleware.security_headers import SecurityHeadersMiddleware
from core.web.urls import route_path
from public_api import pages
from public_api.accounts import endpoints as accounts
from public_api.accounts import keys as api_keys
from public_api.accounts import tickets
from public_api.assistant import endpoints as assistant
from public_api.catalog import endpoints, endpoints_v2, export, imports
from public_api.deprecated import deprecations
from public_api.errors import problem_renderer
from public_api.events import endpoints as events
from public_api.events import stream as event_stream
from public_api.feedback import endpoints as feedback
from public_api.forecast import endpoints as forecast
from public_api.jobs import endpoints as jobs
from public_api.media import endpoints as media
from public_api.media.receiving import MAX_BODY_BYTES as MAX_IMAGE_BODY_BYTES
from public_api.openapi import as_seen_by, customise
from public_api.orders import endpoints as orders
from public_api.orders import export as order_export
from public_api.realtime import endpoints as realtime
from public_api.recommendations import endpoints as recommendations
from public_api.reports import endpoints as reports
from public_api.routing import MAX_BODY_BYTES, MAX_IMPORT_BODY_BYTES
from public_api.semantics import endpoints as semantics
from public_api.shipping import endpoints as shipping
from public_api.support import endpoints as support
from public_api.support import socket as support_socket
from public_api.webhooks import endpoints as webhooks

# In the order of their matching: /products/export is no handle, and /orders/export no id.
VERSIONS: dict[str, Sequence[APIRouter]] = {
    "v1": [
        export.router,
        imports.router,
        endpoints.router,
        recommendations.router,
        semantics.router,
        forecast.router,
        media.router,
        order_export.router,
        orders.router,
        shipping.router,
        events.router,
        event_stream.router,
        jobs.router,
        imports.errors_router,
        reports.router,
        feedback.router,
        accounts.router,
        api_keys.router,
        tickets.router,
        webhooks.router,
        support.router,
        support_socket.router,
        realtime.router,
        assistant.router,
    ],
    "v2": [endpoints_v2.router],
}
# What takes files, and how large the body may be.
UPLOADS = {
    re.compile(r"/v1/products/[^/]+/images"): MAX_IMAGE_BODY_BYTES,
    re.compile(r"/v1/products/import"): MAX_IMPORT_BODY_BYTES,
}
_ORDERS = re.compile(r"/v\d+/orders(/|$)")


def create_public_app(settings: Settings) -> FastAPI:
    app = new_app(
        title="Portico public API",
        version=installed_version("portico"),
        render=problem_renderer(settings),
        outside=[
            Middleware(SecurityHeadersMiddleware, https_only=settings.is_production),
            *cors(settings.cors_origins),
            Middleware(QuotaMiddleware),
        ],
        inside=[
            Middleware(BulkheadMiddleware, "public", urgent=changes_orders),
            Middleware(CompressMiddleware),
            Middleware(HeadMiddleware),
            Middleware(BodyLimitMiddleware, limit=MAX_BODY_BYTES, uploads=UPLOADS),
        ],
    )
    for name, routers in VERSIONS.items():
        app.mount(f"/{name}", _version(name, settings, routers), name=name)
    app.include_router(pages.router)
    return app


def changes_orders(scope: Scope) -> bool:
    """What is let in before reads: whoever buys, pays, cancels or ships."""
    return scope.get("method") == "POST" and _ORDERS.match(route_path(scope)) is not None


def version_documents(settings: Settings) -> dict[str, dict[str, Any]]:
    """The OpenAPI document of each version."""
    return {name: _version(name, settings, routers).openapi() for name, routers in VERSIONS.items()}


def deprecated_operations() -> list[Deprecation]:
    return [
        found
        for name, routers in VERSIONS.items()
        for router in routers
        for found in deprecations(f"/public/{name}", router.routes)
    ]


def _version(name: str, settings: Settings, routers: Sequence[APIRouter]) -> FastAPI:
    """An application of its own, so that each version has its own document; the frame around it is shared."""
    app = Application(title=f"Portico {name}", version=name, framed=True)
    for router in routers:
        app.include_router(router)
    customise(app, settings)
    app.get("/openapi.json", include_in_schema=False)(get_openapi)
    return app


async def get_openapi(request: Request) -> JSONResponse:
    document: dict[str, Any] = request.app.openapi()
    return JSONResponse(as_seen_by(request.scope, document))
