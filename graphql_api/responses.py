"""Bodies and their media type (GraphQL over HTTP, 6.4)."""

import json
from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Scope

JSON = "application/json"
GRAPHQL_JSON = "application/graphql-response+json"


def media_type_for(scope: Scope) -> str:
    """GraphQL's own where Accept names it, and does not like plain JSON better; `*/*` names nothing."""
    wanted = {JSON: 0.0, GRAPHQL_JSON: 0.0}
    for part in ",".join(Headers(scope=scope).getlist("accept")).split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        if name in wanted:
            wanted[name] = _weight(parameters)
    return GRAPHQL_JSON if wanted[GRAPHQL_JSON] and wanted[GRAPHQL_JSON] >= wanted[JSON] else JSON


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter.removeprefix("q="))
            except ValueError:
                return 0.0
    return 1.0


def json_response(
    body: object, status_code: int, media_type: str, headers: Mapping[str, str] | None = None
) -> Response:
    # ASCII, with escapes: a caller's lone surrogate, which an error message may repeat, has no UTF-8.
    content = json.dumps(body, separators=(",", ":")).encode()
    return Response(content, status_code, headers, media_type)
