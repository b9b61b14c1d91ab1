"""Errors as GraphQL shows them, also for what fails before a document is read: `errors[].extensions.code`."""

import re
from typing import Any

from graphql import FieldNode, GraphQLError
from starlette.responses import Response
from starlette.types import Scope
from strawberry.exceptions import MissingQueryError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError

from core.budget import QuotaExceeded
from core.context import current_request_id
from core.errors import AppError, Invalid
from core.ratelimit import Verdict
from core.web.errors import Failure, failure_of, report
from graphql_api.responses import json_response, media_type_for

_SUGGESTION = re.compile(r" Did you mean .*$", re.DOTALL)
# What graphql-core repeats of an input that does not fit: all of it, with the password that may be in there.
_INPUT = re.compile(r"(, f| F)ound: .*$", re.DOTALL)
_VALUE = re.compile(r"(cannot represent [^:]*): .*?(?=\.? Did you mean |\Z)", re.DOTALL)
# What the caller got wrong, though Strawberry raises it as if it were a failure.
_REQUEST_ERRORS = (MissingQueryError, CannotGetOperationTypeError, InvalidOperationTypeError)


class BadRequest(Invalid):
    """The request is not GraphQL over HTTP: a JSON object with a `query`. Its status is 400, as that protocol says."""


def render_error(failure: Failure, scope: Scope) -> Response:
    error = failure.error
    body: dict[str, Any] = {"errors": [{"message": error.detail, "extensions": _extensions(error)}]}
    if isinstance(error, QuotaExceeded):
        body["extensions"] = {"cost": cost_told(error.points, error.verdict)}
    headers = {**failure.headers, "Cache-Control": "no-store"}
    return json_response(body, failure.status, media_type_for(scope), headers)


def cost_told(requested: int, verdict: Verdict) -> dict[str, int]:
    """`extensions.cost`: in points, of the operation, of the caller's whole budget, and what is left of that."""
    return {"requested": requested, "limit": verdict.limit.amount, "remaining": verdict.remaining}


def present(error: GraphQLError, *, suggest: bool) -> GraphQLError:
    """The error as callers may see it, with our code. What nobody foresaw is logged, once, and tells nothing."""
    cause = _cause(error)
    if cause is None:
        message = _VALUE.sub(r"\1", _INPUT.sub("", error.message))
        shown: AppError = Invalid(message if suggest else _SUGGESTION.sub("", message))
    else:
        failure = failure_of(cause)
        report(failure)
        shown = failure.error
    return GraphQLError(
        shown.detail,
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions=_extensions(shown),
    )


def _cause(error: GraphQLError) -> Exception | None:
    """What a resolver, or a library below it, raised; None where the document or its variables are at fault."""
    cause: Exception | None = error.original_error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    if cause is None and _is_of_result(error):
        return error
    return None if isinstance(cause, _REQUEST_ERRORS) else cause


def _is_of_result(error: GraphQLError) -> bool:
    """Whether the value of a field does not fit the schema, which graphql-core says with the value. An argument that
    does not fit has the error at the argument.
    """
    return error.path is not None and any(isinstance(node, FieldNode) for node in error.nodes or ())


def _extensions(error: AppError) -> dict[str, Any]:
    extensions = {"code": error.code, "request_id": current_request_id(), "retryable": error.retryable}
    if error.retry_after_seconds is not None:
        extensions["retry_after_seconds"] = error.retry_after_seconds
    return extensions
