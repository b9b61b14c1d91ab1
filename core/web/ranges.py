"""Parts of stored files (RFC 9110, 14): one range of bytes of an object, or of what is in memory."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse
from starlette.types import Scope

from core.objects import Objects, ranged
from core.web.middleware.head import is_head

_RANGE = re.compile(r"bytes=([0-9]{0,100})-([0-9]{0,100})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class StoredFile:
    """An object that does not change while it is sent."""

    objects: Objects
    key: str
    size: int


def wanted_range(scope: Scope, size: int, etag: str | None) -> tuple[int, int] | None:
    """The first byte of the range that is asked for, and the one after its last; None where the whole is to be sent.

    That is for HEAD (14.2), no range, several, one that is malformed, and If-Range with anything but the strong `etag`
    of the present bytes: a date is never exact enough. Raises a 416 for a range that begins after the end.
    """
    request = Headers(scope=scope)
    matched = _RANGE.fullmatch(", ".join(request.getlist("range")))
    condition = request.get("if-range")
    if matched is None or is_head(scope) or size == 0 or (condition is not None and not _is_strongly(etag, condition)):
        return None
    first, last = matched.groups()
    if not first and not last:
        return None
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < start:
            return None
    if start >= size:
        raise HTTPException(416, headers={"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"})
    return start, end


def _is_strongly(etag: str | None, condition: str) -> bool:
    return etag is not None and etag.startswith('"') and condition.strip() == etag


def file_response(
    scope: Scope,
    source: bytes | StoredFile,
    bounds: tuple[int, int] | None,
    *,
    media_type: str,
    headers: Mapping[str, str],
) -> Response:
    """The file, or of it what `wanted_range` found; read as it is sent, in bounded chunks. HEAD reads nothing.

    `headers` are those of the whole file.
    """
    size = len(source) if isinstance(source, bytes) else source.size
    start, end = bounds or (0, size)
    described = {**headers, "Accept-Ranges": "bytes", "Content-Length": str(end - start)}
    if bounds is not None:
        described["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    status = 200 if bounds is None else 206
    if is_head(scope):
        return Response(b"", status, described, media_type)
    if isinstance(source, bytes):
        return Response(source[start:end], status, described, media_type)
    parts = ranged(source.objects, source.key, start, end)
    return StreamingResponse(parts, status, described, media_type)
