"""From an exception to an answer: one table of statuses, one place that logs, and a renderer for each audience.

Every application, mounted or not, calls `install_error_handlers`: Starlette's handlers are not inherited by mounts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException, WebSocketException
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Scope
from starlette.websockets import WebSocket, WebSocketState

from core.bulkheads import Overloaded
from core.context import current_request
from core.errors import (
    AppError,
    Conflict,
    Denied,
    FieldError,
    Gone,
    Invalid,
    NotFound,
    RateLimited,
    StaleVersion,
    TransportError,
    Unauthenticated,
    Unavailable,
)
from core.ratelimit import LimitExceeded
from core.web.urls import route_path

log = structlog.get_logger("portico.errors")


class MethodNotAllowed(TransportError):
    """This address exists, but not for this method; `Allow` lists those that it takes."""

    code = "method_not_allowed"
    title = "Method not allowed"


class NotAcceptable(TransportError):
    """The Accept header leaves out every media type that the answer can have."""

    code = "not_acceptable"
    title = "Not acceptable"


class ContentTooLarge(TransportError):
    """The request's body is larger than this operation takes, as sent or after it was inflated."""

    code = "content_too_large"
    title = "Content too large"


class UnsupportedMediaType(TransportError):
    """The body's Content-Type or Content-Encoding is not one that this operation reads."""

    code = "unsupported_media_type"
    title = "Unsupported media type"


class RangeNotSatisfiable(TransportError):
    """The Range header asks for bytes after the end of the file; Content-Range says how long it is."""

    code = "range_not_satisfiable"
    title = "Range not satisfiable"


class UntrustedHost(TransportError):
    """The request's Host header is not a name of this server."""

    code = "untrusted_host"
    title = "Unknown host"


# The first class that the error is an instance of; AppError, the bug, comes last.
_STATUSES: Mapping[type[AppError], int] = {
    StaleVersion: 412,
    Gone: 410,
    NotFound: 404,
    Conflict: 409,
    Invalid: 422,
    Denied: 403,
    Unauthenticated: 401,
    RateLimited: 429,
    Unavailable: 503,
    MethodNotAllowed: 405,
    NotAcceptable: 406,
    ContentTooLarge: 413,
    UnsupportedMediaType: 415,
    RangeNotSatisfiable: 416,
    TransportError: 400,
    AppError: 500,
}
_OF_STATUS: Mapping[int, type[AppError]] = {
    400: TransportError,
    401: Unauthenticated,
    403: Denied,
    404: NotFound,
    405: MethodNotAllowed,
    406: NotAcceptable,
    409: Conflict,
    410: Gone,
    413: ContentTooLarge,
    415: UnsupportedMediaType,
    416: RangeNotSatisfiable,
    422: Invalid,
    429: RateLimited,
    503: Unavailable,
}
_INTERNAL_ERROR = 500


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed request, ready to be rendered. `cause` is what was raised; only operators may see it."""

    error: AppError
    status: int
    cause: Exception
    headers: dict[str, str] = field(default_factory=dict)


class ErrorRenderer(Protocol):
    """An audience's error body. Never raises, never shows `failure.cause` to outsiders."""

    def __call__(self, failure: Failure, scope: Scope, /) -> Response: ...


def status_of(error: type[AppError]) -> int:
    return next(status for kind, status in _STATUSES.items() if issubclass(error, kind))


def failure_of(exc: Exception) -> Failure:
    cause = exc.__cause__
    if isinstance(exc, RuntimeError | HTTPException) and isinstance(cause, AppError | HTTPException):
        # Starlette's wrapper of what came after the response began, FastAPI's of what reading the body raised.
        exc = cause
    elif isinstance(exc, HTTPException) and isinstance(cause, ValueError | RecursionError):
        # FastAPI's 400 for JSON that is more than mistyped.
        fault = FieldError("", "json_invalid", "the body is not UTF-8, or is nested too deep")
        return Failure(Invalid("the body is not JSON", errors=(fault,)), status_of(Invalid), exc)
    if isinstance(exc, AppError):
        return Failure(exc, status_of(type(exc)), exc, _headers(exc))
    if isinstance(exc, RequestValidationError | WebSocketRequestValidationError):
        error: AppError = Invalid("the request has faults; see errors", errors=_field_errors(exc))
        return Failure(error, status_of(Invalid), exc)
    if isinstance(exc, HTTPException):
        kind = _OF_STATUS.get(exc.status_code, TransportError if exc.status_code < _INTERNAL_ERROR else AppError)
        # Starlette's own texts are the bare phrases of the statuses; ours say more.
        return Failure(kind(), exc.status_code, exc, dict(exc.headers or {}))
    return Failure(AppError("an internal error was recorded under this request id"), _INTERNAL_ERROR, exc)


def report(failure: Failure, *, response_started: bool = False) -> None:
    """Logs a failure once: bugs with their traceback, what is away as a warning; the rest, and who was one too many, on
    the access line.
    """
    context = current_request()
    if context is not None:
        context.error_code = failure.error.code
    if failure.status == _INTERNAL_ERROR or (response_started and not isinstance(failure.cause, AppError)):
        log.error("internal_error", response_started=response_started, exc_info=failure.cause)
    elif response_started or (isinstance(failure.error, Unavailable) and not isinstance(failure.error, Overloaded)):
        reason = failure.cause.__cause__ or failure.cause
        log.warning(failure.error.code, response_started=response_started, reason=f"{type(reason).__name__}: {reason}")


def install_error_handlers(app: FastAPI, render: ErrorRenderer) -> None:
    """Makes the app answer every foreseen error in its audience's shape. Bugs are CatchAllMiddleware's."""

    async def handle(connection: HTTPConnection, exc: Exception) -> Response | None:
        failure = failure_of(exc)
        if isinstance(failure.error, MethodNotAllowed):
            failure.headers["Allow"] = _methods_at(connection.scope)
        if isinstance(failure.error, LimitExceeded):
            connection.scope["state"]["quota"] = failure.error.verdict  # QuotaMiddleware tells it
        report(failure)
        if isinstance(connection, WebSocket):
            await close_websocket(connection, failure, render)
            return None
        return render(failure, connection.scope)

    for kind in (AppError, HTTPException, RequestValidationError, WebSocketRequestValidationError):
        app.add_exception_handler(kind, handle)  # type: ignore[arg-type]
    app.add_exception_handler(WebSocketException, _close_as_told)  # type: ignore[arg-type]


async def close_websocket(websocket: WebSocket, failure: Failure, render: ErrorRenderer) -> None:
    """Before the handshake ends, an HTTP denial with the audience's body; after it, a close frame."""
    if websocket.application_state is WebSocketState.CONNECTING:
        if "websocket.http.response" in websocket.scope.get("extensions", {}):
            await websocket.send_denial_response(render(failure, websocket.scope))
        else:
            await websocket.close(code=1008)
    elif websocket.application_state is WebSocketState.CONNECTED:
        internal = failure.status >= _INTERNAL_ERROR
        await websocket.close(code=1011 if internal else 1008, reason=failure.error.code)


async def _close_as_told(websocket: WebSocket, exc: WebSocketException) -> None:
    await websocket.close(code=exc.code, reason=exc.reason)


def _methods_at(scope: Scope) -> str:
    """Of every route with this address (RFC 9110, 15.5.6); Starlette names those of the first alone."""
    path = route_path(scope)
    found: set[str] = set()
    for context in iter_route_contexts(scope["app"].router.routes):
        regex = getattr(context, "path_regex", None)
        if regex is not None and regex.match(path):
            found |= context.methods or set()
    return ", ".join(sorted(found))


def _headers(error: AppError) -> dict[str, str]:
    headers = {}
    if error.retry_after_seconds is not None:
        headers["Retry-After"] = str(error.retry_after_seconds)
    elif isinstance(error, Unavailable):
        headers["Retry-After"] = "5"
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="portico"'
    if error.replayed:
        headers["Idempotency-Replayed"] = "true"
    return headers


def _field_errors(exc: RequestValidationError | WebSocketRequestValidationError) -> tuple[FieldError, ...]:
    faults = (
        FieldError(_pointer(tuple(fault["loc"]), str(fault["type"])), str(fault["type"]), str(fault["msg"]))
        for fault in exc.errors()
    )
    return tuple(dict.fromkeys(faults))  # FastAPI asks again for what two dependencies need, where it has faults


def _pointer(location: tuple[str | int, ...], kind: str) -> str:
    """A JSON Pointer: of the body itself, or `/query/...`, `/path/...`, `/header/...` for what is not in the body."""
    if kind == "json_invalid":
        return ""
    parts = location[1:] if location and location[0] == "body" else location
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)
