"""The route class of this door."""

from typing import Any

from fastapi import APIRouter

from core.web.routing import BodyRoute

MAX_BODY_BYTES = 1024 * 1024


class InternalRoute(BodyRoute):
    max_body_bytes = MAX_BODY_BYTES


def internal_router(**options: Any) -> APIRouter:
    return APIRouter(route_class=InternalRoute, **options)
