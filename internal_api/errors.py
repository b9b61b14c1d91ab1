"""Errors for operators: they see the exception's class and text, and what to try."""

from starlette.responses import JSONResponse, Response
from starlette.types import Scope

from core.context import current_request_id
from core.errors import AppError, Unauthenticated, Unavailable
from core.web.errors import Failure

_HINTS: dict[type[AppError], str] = {
    Unauthenticated: "send Authorization: Bearer with PORTICO_METRICS_TOKEN (embedded mode keeps it in "
    "DATA_DIR/metrics_token)",
    Unavailable: "run `portico doctor` on this host; /internal/health says which dependency is away",
}
_INTERNAL_ERROR = 500


def render_error(failure: Failure, _scope: Scope) -> Response:
    error = failure.error
    hint = next((text for kind, text in _HINTS.items() if isinstance(error, kind)), None)
    if failure.status == _INTERNAL_ERROR:
        hint = "search the log for this request id: the traceback is there"
    body = {
        "code": error.code,
        "message": error.detail,
        "request_id": current_request_id(),
        "exception": f"{type(failure.cause).__name__}: {failure.cause}"[:2000],
        "hint": hint,
    }
    headers = {**failure.headers, "Cache-Control": "no-store"}
    return JSONResponse({"error": body}, failure.status, headers)
