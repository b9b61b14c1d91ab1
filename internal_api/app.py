"""The internal application."""

from importlib.metadata import version as installed_version

from fastapi import Depends, FastAPI
from starlette.middleware import Middleware

from core.settings import Settings
from core.web.audience import new_app
from core.web.middleware.body_limit import BodyLimitMiddleware
from core.web.middleware.compression import CompressMiddleware
from core.web.middleware.head import HeadMiddleware
from core.web.middleware.security_headers import SecurityHeadersMiddleware
from internal_api import health, metrics
from internal_api.auth import RequireOperator
from internal_api.errors import render_error

MAX_BODY_BYTES = 1024 * 1024


def create_internal_app(settings: Settings) -> FastAPI:
    app = new_app(
        title="Portico internal API",
        version=installed_version("portico"),
        render=render_error,
        outside=[
            Middleware(
                SecurityHeadersMiddleware, headers={"X-Robots-Tag": "noindex"}, https_only=settings.is_production
            )
        ],
        inside=[
            Middleware(CompressMiddleware),
            Middleware(HeadMiddleware),
            Middleware(BodyLimitMiddleware, limit=MAX_BODY_BYTES),
        ],
        dependencies=[Depends(RequireOperator())],
    )
    app.include_router(health.router)
    app.include_router(metrics.router)
    return app
