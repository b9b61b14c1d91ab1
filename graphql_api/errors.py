"""Errors as GraphQL shows them, also for what fails before a document is read: `errors[].extensions.code`."""

from starlette.responses import JSONResponse, Response
from starlette.types import Scope

from core.context import current_request_id
from core.web.errors import Failure


def render_error(failure: Failure, _scope: Scope) -> Response:
    error = failure.error
    extensions = {"code": error.code, "request_id": current_request_id(), "retryable": error.retryable}
    body = {"errors": [{"message": error.detail, "extensions": extensions}]}
    return JSONResponse(body, failure.status, {**failure.headers, "Cache-Control": "no-store"})
