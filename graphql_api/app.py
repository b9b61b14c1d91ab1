"""The GraphQL application."""

from importlib.metadata import version as installed_version

from fastapi import FastAPI
from starlette.middleware import Middleware

from core.settings import Settings
from core.web.audience import new_app
from core.web.middleware.body_limit import BodyLimitMiddleware
from core.web.middleware.bulkhead import BulkheadMiddleware
from core.web.middleware.compression import CompressMiddleware
from core.web.middleware.cors import cors
from core.web.middleware.head import HeadMiddleware
from core.web.middleware.quota import QuotaMiddleware
from core.web.middleware.security_headers import SecurityHeadersMiddleware
from graphql_api.errors import render_error
from graphql_api.limits import MAX_BODY_BYTES
from graphql_api.plans.planner import Planner
from graphql_api.post import PostRoute
from graphql_api.roads import Roads
from graphql_api.router import Router
from graphql_api.schema import build_schema
from graphql_api.streams import StreamLimits


def create_graphql_app(settings: Settings, limits: StreamLimits | None = None) -> FastAPI:
    app = new_app(
        title="Portico GraphQL API",
        version=installed_version("portico"),
        render=render_error,
        outside=[
            Middleware(SecurityHeadersMiddleware, https_only=settings.is_production),
            *cors(settings.cors_origins),
            Middleware(QuotaMiddleware),
        ],
        inside=[
            Middleware(BulkheadMiddleware, "graphql"),
            Middleware(CompressMiddleware),
            Middleware(HeadMiddleware),
            Middleware(BodyLimitMiddleware, limit=MAX_BODY_BYTES),
        ],
    )
    schema = build_schema(production=settings.is_production)
    roads = Roads(schema, Planner(schema) if settings.server.graphql_plans else None)
    app.router.routes.append(PostRoute(roads))
    app.include_router(Router(schema, settings, limits or StreamLimits(), roads))
    return app
