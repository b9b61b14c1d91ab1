"""The route class of the public API: gzip request bodies, clear refusals of other encodings, and the handler's time."""

import time
import zlib
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, params
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from core.web.errors import ContentTooLarge, UnsupportedMediaType

# Of a body as the application holds it: what was sent, or what it inflates to.
MAX_BODY_BYTES = 2 * 1024 * 1024


class InflatingRequest(Request):
    """A request whose body is inflated as it is read, never beyond `MAX_BODY_BYTES`."""

    async def body(self) -> bytes:
        if not hasattr(self, "_inflated"):
            self._inflated = inflate(await super().body())
        return self._inflated


class PublicRoute(APIRoute):
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        field = self.body_field
        takes_json = field is not None and not isinstance(field.field_info, params.Form)

        async def timed(request: Request) -> Response:
            started = time.perf_counter()
            encoding = request.headers.get("content-encoding", "").strip().lower() or "identity"
            if encoding in ("gzip", "x-gzip"):
                request = InflatingRequest(request.scope, request.receive)
            elif encoding != "identity":
                raise UnsupportedMediaType(f"Content-Encoding {encoding[:40]!r} is not read; send gzip or none")
            if takes_json:
                _require_json(request)
            response = await handle(request)
            elapsed = (time.perf_counter() - started) * 1000
            response.headers.append("Server-Timing", f"handler;dur={elapsed:.2f}")
            return response

        return timed


def inflate(data: bytes) -> bytes:
    """Gunzip with a bound. Raises ContentTooLarge over it, UnsupportedMediaType for what is not gzip."""
    inflater = zlib.decompressobj(wbits=31)
    try:
        body = inflater.decompress(data, MAX_BODY_BYTES + 1)
    except zlib.error:
        raise UnsupportedMediaType("the body is not gzip, though Content-Encoding says so") from None
    if len(body) > MAX_BODY_BYTES:
        raise ContentTooLarge(f"the body inflates to more than {MAX_BODY_BYTES} bytes")
    if not inflater.eof or inflater.unused_data:
        raise UnsupportedMediaType("the gzip body is cut short, or something stands after it")
    return body


def _require_json(request: Request) -> None:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_json = media_type == "application/json" or (
        media_type.startswith("application/") and media_type.endswith("+json")
    )
    if not is_json:
        raise UnsupportedMediaType(
            f"Content-Type {media_type[:60] or '(none)'} is not read here; send application/json"
        )


def public_router(**options: Any) -> APIRouter:
    return APIRouter(route_class=PublicRoute, **options)
