"""Requests that are refused before anything of a document runs, with the status that GraphQL over HTTP gives them."""

from collections.abc import Awaitable

from starlette.requests import Request
from starlette.responses import Response

from commerce.operations.errors import OperationNotRegistered, PersistedQueryNotFound
from core.web.errors import Failure, report, status_of
from graphql_api.errors import BadRequest, render_error
from graphql_api.responses import JSON, media_type_for
from graphql_api.sse import accepts_events


async def answered(answer: Awaitable[Response], request: Request) -> Response:
    """The answer, or why there is none."""
    try:
        return await answer
    except BadRequest as error:
        return refuse(Failure(error, 400, error), request)
    except (PersistedQueryNotFound, OperationNotRegistered) as error:
        # As any operation that cannot run: plain JSON keeps 200 (graphql-over-http, 6.4.1).
        plain = media_type_for(request.scope) == JSON and not accepts_events(request.headers.get("accept", ""))
        return refuse(Failure(error, 200 if plain else status_of(type(error)), error), request)


def refuse(failure: Failure, request: Request) -> Response:
    report(failure)
    return render_error(failure, request.scope)
