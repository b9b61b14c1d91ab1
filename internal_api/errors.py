"""Errors for operators: they see the exception's class and text, and what to try."""

from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from starlette.responses import JSONResponse, Response
from starlette.types import Scope

from commerce.flags.errors import SwitchedOff
from core.context import current_request_id
from core.errors import AppError, Denied, FieldError, RateLimited, Unauthenticated, Unavailable
from core.web.errors import Failure
from internal_api.dashboard.pages import refusal_page, wants_page

_SIGN_IN = (
    "sign in: POST /internal/auth/token with the form fields username and password of a staff account, then send "
    "Authorization: Bearer with the access_token; `portico users create EMAIL --role admin` makes an account. "
    "PORTICO_METRICS_TOKEN opens /internal/metrics alone"
)
_HINTS: dict[type[AppError], str] = {
    Unauthenticated: _SIGN_IN,
    Denied: "an admin can change roles: PATCH /internal/users/{id}; the token stays the same",
    RateLimited: "wait for the seconds that Retry-After names",
    SwitchedOff: "GET /internal/flags says who switched it off and why; DELETE /internal/flags/... switches it on",
    Unavailable: "run `portico doctor` on this host, and see /readyz: they say which dependency is away",
}
_INTERNAL_ERROR = 500
_LONGEST = 2000


def render_error(failure: Failure, scope: Scope) -> Response:
    if wants_page(scope):
        return refusal_page(failure, scope)
    error = failure.error
    hint = next((text for kind, text in _HINTS.items() if isinstance(error, kind)), None)
    if failure.status == _INTERNAL_ERROR:
        hint = "search the log for this request id: the traceback is there"
    body = {
        "code": error.code,
        "message": error.detail,
        "request_id": current_request_id(),
        "exception": _described(failure)[:_LONGEST],
        "hint": hint,
    }
    headers = {**failure.headers, "Cache-Control": "no-store"}
    return JSONResponse({"error": body}, failure.status, headers)


def _described(failure: Failure) -> str:
    """The class, the text and each fault with its place. A validation error's own text repeats what was sent, and so a
    password: its faults alone are told.
    """
    cause = failure.cause
    told = () if isinstance(cause, RequestValidationError | WebSocketRequestValidationError) else (str(cause),)
    return f"{type(cause).__name__}: {'; '.join((*told, *map(_fault, failure.error.errors)))}"


def _fault(fault: FieldError) -> str:
    return f"{fault.pointer} {fault.message}".lstrip()
