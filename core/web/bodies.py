"""Request bodies: gzip, inflated within a bound (RFC 9110, 8.4), and clear refusals of what is not read."""

import zlib
from collections.abc import AsyncGenerator

from starlette.requests import Request

from core.web.errors import ContentTooLarge, UnsupportedMediaType
from core.web.headers import headers_of


class InflatingRequest(Request):
    """A request whose body is inflated as it is read, never beyond `limit` bytes."""

    def __init__(self, request: Request, limit: int) -> None:
        super().__init__(request.scope, request.receive)
        self._limit = limit

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """What `body`, `json` and `form` read."""
        if not hasattr(self, "_body"):
            self._body = inflate(b"".join([chunk async for chunk in super().stream()]), self._limit)
        yield self._body


def decoded(request: Request, limit: int) -> Request:
    """The request, reading its body as Content-Encoding says. Raises UnsupportedMediaType for other than gzip."""
    return InflatingRequest(request, limit) if is_gzipped(request) else request


def is_gzipped(request: Request) -> bool:
    """Whether Content-Encoding says so. Raises UnsupportedMediaType for any other."""
    given = headers_of(request.scope).get(b"content-encoding", b"").decode("latin-1")
    encoding = given.strip().lower() or "identity"
    if encoding not in ("gzip", "x-gzip", "identity"):
        raise UnsupportedMediaType(f"Content-Encoding {encoding[:40]!r} is not read; send gzip or none")
    return encoding != "identity"


def require_json(request: Request) -> None:
    """Raises UnsupportedMediaType unless Content-Type is `application/json` or `application/*+json`."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    kind, _, subtype = media_type.partition("/")
    if kind != "application" or not (subtype == "json" or subtype.endswith("+json")):
        raise UnsupportedMediaType(
            f"Content-Type {media_type[:60] or '(none)'} is not read here; send application/json"
        )


def inflate(data: bytes, limit: int) -> bytes:
    """Gunzip to at most `limit` bytes. Raises ContentTooLarge over it, UnsupportedMediaType for what is not gzip."""
    inflater = zlib.decompressobj(wbits=31)
    try:
        body = inflater.decompress(data, limit + 1)
    except zlib.error:
        raise UnsupportedMediaType("the body is not gzip, though Content-Encoding says so") from None
    if len(body) > limit:
        raise ContentTooLarge(f"the body inflates to more than {limit} bytes")
    if not inflater.eof or inflater.unused_data:
        raise UnsupportedMediaType("the gzip body is cut short, or something stands after it")
    return body
