"""The route class of the public API: gzip request bodies, clear refusals of what is not read, the handler's time."""

import time
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, params
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from core.web.bodies import decoded, require_json

# Of a body as the application holds it: what was sent, or what it inflates to.
MAX_BODY_BYTES = 2 * 1024 * 1024


class PublicRoute(APIRoute):
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        field = self.body_field
        takes_json = field is not None and not isinstance(field.field_info, params.Form)

        async def timed(request: Request) -> Response:
            started = time.perf_counter()
            request = decoded(request, MAX_BODY_BYTES)
            if takes_json:
                require_json(request)
            response = await handle(request)
            elapsed = (time.perf_counter() - started) * 1000
            response.headers.append("Server-Timing", f"handler;dur={elapsed:.2f}")
            return response

        return timed


def public_router(**options: Any) -> APIRouter:
    return APIRouter(route_class=PublicRoute, **options)
