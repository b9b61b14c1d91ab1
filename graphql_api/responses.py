"""Bodies and their media type (GraphQL over HTTP, 6.4)."""

import json
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache

from starlette.responses import Response
from starlette.types import Scope

from core.web.errors import NotAcceptable

JSON = "application/json"
GRAPHQL_JSON = "application/graphql-response+json"
_KEPT = 32  # values of Accept: programs have few, and strangers may send long ones


def media_type_for(scope: Scope) -> str:
    """GraphQL's own where Accept names it, and does not like plain JSON better; `*/*` names nothing."""
    weights = _weights(scope)
    own = weights.get(GRAPHQL_JSON, 0.0)
    return GRAPHQL_JSON if own and own >= weights.get(JSON, 0.0) else JSON


def require_acceptable(scope: Scope) -> None:
    """Raises NotAcceptable where Accept leaves out both: before anything is done whose answer nobody would read."""
    weights = _weights(scope)
    if weights and not any(weights.get(name) for name in (JSON, GRAPHQL_JSON, "application/*", "*/*")):
        raise NotAcceptable(f"answers here are {GRAPHQL_JSON}, {JSON} or text/event-stream")


def _weights(scope: Scope) -> Mapping[str, float]:
    given = ",".join([value.decode("latin-1") for name, value in scope["headers"] if name == b"accept"])
    return _weights_in(given)


@lru_cache(_KEPT)
def _weights_in(accept: str) -> Mapping[str, float]:
    """Of each media range that Accept names."""
    parts = accept.split(",")
    ranges = [[piece.strip().lower() for piece in part.split(";")] for part in parts if part.strip()]
    return {name: _weight(parameters) for name, *parameters in ranges}


def _weight(parameters: list[str]) -> float:
    """1 also where it is no number."""
    for parameter in parameters:
        if parameter.startswith("q="):
            with suppress(ValueError):
                return float(parameter.removeprefix("q="))
    return 1.0


def json_response(
    body: object, status_code: int, media_type: str, headers: Mapping[str, str] | None = None
) -> Response:
    return Response(json_bytes(body), status_code, headers, media_type)


def json_bytes(body: object) -> bytes:
    # ASCII, with escapes: a caller's lone surrogate, which an error message may repeat, has no UTF-8.
    return json.dumps(body, separators=(",", ":")).encode()
