"""The internal application."""

from importlib.metadata import version as installed_version

from fastapi import Depends, FastAPI
from starlette.middleware import Middleware

from core.settings import Settings
from core.web.audience import new_app
from core.web.middleware.body_limit import BodyLimitMiddleware
from core.web.middleware.bulkhead import BulkheadMiddleware, always
from core.web.middleware.compression import CompressMiddleware
from core.web.middleware.head import HeadMiddleware
from core.web.middleware.quota import QuotaMiddleware
from core.web.middleware.security_headers import SecurityHeadersMiddleware
from internal_api import audit, config, deprecations, echo, events, flags, health, metrics, models, receipts, webhooks
from internal_api.accounts import endpoints as accounts
from internal_api.accounts import sign_in
from internal_api.auth import LOWEST
from internal_api.dashboard import endpoints as dashboard
from internal_api.errors import render_error
from internal_api.invariants import endpoints as invariants
from internal_api.jobs import endpoints as jobs
from internal_api.operations import endpoints as operations
from internal_api.promotions import endpoints as promotions
from internal_api.rate_limits import endpoints as rate_limits
from internal_api.routing import MAX_BODY_BYTES

_FREE = frozenset({"/health", "/metrics"})  # by which one sees that the rest is full


def create_internal_app(settings: Settings) -> FastAPI:
    app = new_app(
        title="Portico internal API",
        version=installed_version("portico"),
        render=render_error,
        outside=[
            Middleware(
                SecurityHeadersMiddleware, headers={"X-Robots-Tag": "noindex"}, https_only=settings.is_production
            ),
            Middleware(QuotaMiddleware),
        ],
        inside=[
            Middleware(BulkheadMiddleware, "internal", urgent=always, free=_FREE),
            Middleware(CompressMiddleware),
            Middleware(HeadMiddleware),
            Middleware(BodyLimitMiddleware, limit=MAX_BODY_BYTES),
        ],
        dependencies=[Depends(LOWEST)],
    )
    # What is included asks for the lowest role at least. These are added instead: one makes the tokens that the others
    # ask for, the metrics take a token of their own, and the dashboard a cookie too.
    app.router.routes.extend([*sign_in.router.routes, *metrics.router.routes, *dashboard.router.routes])
    for feature in (
        health,
        config,
        audit,
        accounts,
        promotions,
        jobs,
        events,
        webhooks,
        invariants,
        operations,
        deprecations,
        models,
        flags,
        receipts,
        rate_limits,
        echo,
    ):
        app.include_router(feature.router)
    return app
