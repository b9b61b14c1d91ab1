"""The route class of the public API: bodies as elsewhere, the handler's time, and what supersedes the operation."""

import time
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from core.web.reads import Handler
from core.web.routing import BodyRoute
from public_api.deprecated import Supersession

MAX_BODY_BYTES = 2 * 1024 * 1024
MAX_IMPORT_BYTES = 256 * 1024 * 1024  # of the file, also when it is inflated
MAX_IMPORT_BODY_BYTES = MAX_IMPORT_BYTES + 64 * 1024  # with what multipart puts around the file


class PublicRoute(BodyRoute):
    max_body_bytes = MAX_BODY_BYTES

    def around(self, handle: Handler) -> Handler:
        handle = super().around(handle)
        supersession = Supersession.of(self)

        async def timed(request: Request) -> Response:
            started = time.perf_counter()
            response = await handle(request)
            if supersession is not None:
                supersession.tell(request, response)
            elapsed = (time.perf_counter() - started) * 1000
            response.raw_headers.append((b"server-timing", b"handler;dur=%.2f" % elapsed))
            return response

        return timed


class UploadRoute(PublicRoute):
    """Takes files: its operations write their bodies to disk themselves."""

    reads_body = False


def public_router(**options: Any) -> APIRouter:
    return APIRouter(route_class=PublicRoute, **options)
