"""What a request asks for: equal keys get one answer."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from starlette.types import Scope

from core.web.headers import headers_of, repeated
from core.web.response_cache.encodings import negotiated
from core.web.response_cache.store import Key
from core.web.urls import route_path

_PRIVATE = (b"authorization", b"cookie")
# In bytes, of what is remembered; a longer query is nobody else's.
_LONGEST_QUERY = 2_048
_LONGEST_BODY = 4_096
_NOT_READING = ("mutation", "subscription")
_OTHERS = b"-"  # all origins that may not read the answer


@dataclass(frozen=True, slots=True)
class Area:
    """Addresses that may have shared answers. `varies`: request headers that these depend on, besides the encoding and
    the origin. `posts`: queries are sent by POST too, as JSON of GraphQL over HTTP.
    """

    prefix: str
    varies: tuple[bytes, ...] = ()
    posts: bool = False

    def takes(self, method: str) -> bool:
        return method in ("GET", "HEAD") or (method == "POST" and self.posts)


class Keys:
    def __init__(self, areas: Sequence[Area], origins: Collection[str]) -> None:
        self._areas = areas
        self._every_origin = "*" in origins
        self._origins = {origin.encode() for origin in origins}

    def area(self, scope: Scope) -> Area | None:
        path = route_path(scope) if scope.get("root_path") else scope["path"]
        for area in self._areas:
            if path.startswith(area.prefix):
                return area
        return None

    def of(self, scope: Scope, area: Area) -> Key | None:
        """None where the answer may be the caller's own, or it cannot be told what is asked."""
        headers = headers_of(scope)
        query = scope["query_string"]
        if _PRIVATE[0] in headers or _PRIVATE[1] in headers or b"host" not in headers or repeated(scope):
            return None
        if query and (b"ticket=" in query or len(query) > _LONGEST_QUERY):
            return None
        return (
            scope["path"],
            sorted_query(query) if b"&" in query else query,
            headers[b"host"],
            scope.get("root_path", ""),
            scope["scheme"],
            negotiated(headers.get(b"accept-encoding", b"")),
            self._origin(headers.get(b"origin")),
            *[headers.get(name) for name in area.varies],
        )

    def _origin(self, origin: bytes | None) -> bytes | None:
        if origin is None or origin in self._origins:
            return origin
        return _OTHERS if not self._every_origin else b"*"


def address_of(scope: Scope) -> str:
    """The tag of all answers of an address: of no subject, for these have no slash."""
    return f"{scope['path']}?{sorted_query(scope['query_string']).decode('latin-1')}"


def sorted_query(query: bytes) -> bytes:
    """By name, and the values of one name in their order. Names that are escaped may be equal and look otherwise: then
    as it came.
    """
    return _remembered_query(query) if len(query) <= _LONGEST_QUERY else _sorted(query)


def _sorted(query: bytes) -> bytes:
    pairs = query.split(b"&")
    names = [pair.partition(b"=")[0] for pair in pairs]
    if any(b"%" in name for name in names):
        return query
    return b"&".join(pair for _, pair in sorted(zip(names, pairs, strict=True), key=lambda each: each[0]))


_remembered_query = lru_cache(1_024)(_sorted)


def is_plain_json(headers: Mapping[bytes, bytes]) -> bool:
    """As `core.web.bodies` reads it, and of no encoding."""
    media_type = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    return media_type == b"application/json" and b"content-encoding" not in headers


def operation_of(body: bytes) -> bytes | None:
    """The hash of all that a GraphQL request says, in whatever order. None for what is no query, or no JSON object."""
    return _remembered_body(body) if len(body) <= _LONGEST_BODY else _operation(body)


def _operation(body: bytes) -> bytes | None:
    try:
        data = json.loads(body)
        canonical = json.dumps(data, sort_keys=True, separators=(",", ":")).encode()
    except (ValueError, RecursionError):
        return None
    text = data.get("query") if isinstance(data, dict) else ""
    if (
        isinstance(data, dict)
        and isinstance(text, str | None)
        and not any(each in (text or "") for each in _NOT_READING)
    ):
        return hashlib.sha256(canonical).digest()
    return None


_remembered_body = lru_cache(512)(_operation)
