"""GraphQL over HTTP, SSE and WebSocket (graphql-over-http; graphql-transport-ws): Strawberry's router, with every
refusal in our shape and the media types of the specification.
"""

import json
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from cross_web import AsyncHTTPRequestAdapter
from fastapi import Request, Response, WebSocket
from graphql import GraphQLError
from starlette.exceptions import HTTPException as StarletteHTTPException
from strawberry.exceptions import ConnectionRejectionError
from strawberry.fastapi import GraphQLRouter
from strawberry.http import GraphQLHTTPResponse, GraphQLRequestData
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types import ExecutionResult
from strawberry.types.execution import PreExecutionError
from strawberry.types.graphql import OperationType
from strawberry.types.unset import UNSET, UnsetType

from commerce.operations.errors import OperationNotRegistered, PersistedQueryNotFound
from core.budget import QuotaExceeded
from core.context import client_named, current_client, current_request
from core.errors import Denied, Unauthenticated
from core.settings import Settings
from core.streams.places import Places
from core.web.bodies import decoded, require_json
from core.web.conditional import cache_headers, is_current, not_modified, weak_tag
from core.web.errors import Failure, failure_of, report, status_of
from core.web.event_stream import EventStreamResponse
from core.web.pages import Pages
from graphql_api.context import Context, open_context, principal_of
from graphql_api.errors import BadRequest, present, render_error
from graphql_api.limits import MAX_BODY_BYTES
from graphql_api.once import REPLAYED
from graphql_api.persisted import NAMES, hash_of, text_of
from graphql_api.responses import GRAPHQL_JSON, JSON, json_response, media_type_for, require_acceptable
from graphql_api.schema import Schema
from graphql_api.socket import FIELDS, TransportHandler, Wire
from graphql_api.sse import Results, accepts_events, event_stream
from graphql_api.streams import StreamLimits

_ONLY_POST = failure_of(StarletteHTTPException(405, headers={"Allow": "POST"}))
# What may be registered depends on the client; both of its headers, as `gateway.middleware` reads them.
_VARY = "Authorization, Accept, X-Client-Name, Apollographql-Client-Name"


@dataclass
class RequestData(GraphQLRequestData):
    named: str | None = None  # the hash of a persisted operation


class Router(GraphQLRouter[Context, None]):
    """Per application. Multipart, batches and the old graphql-ws protocol are off; by GET come registered queries
    alone. Server-sent events are `graphql_api.sse`'s, not Strawberry's.

    No page of another origin can make its visitor's browser change anything (CSRF): a POST is `application/json`, which
    no form sends and for which a browser asks first (CORS), a GET changes nothing, and there are no cookies.
    """

    graphql_transport_ws_handler_class = TransportHandler
    websocket_adapter_class = Wire

    def __init__(self, schema: Schema, settings: Settings, limits: StreamLimits) -> None:
        super().__init__(
            schema,
            path="/",
            context_getter=open_context,
            allow_queries_via_get=False,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
            connection_init_wait_timeout=timedelta(seconds=limits.init_seconds),
            max_subscriptions_per_connection=None,  # the handler's, whose refusal has a code
            allowed_origins=settings.cors_origins,
        )
        self.limits = limits
        self._sockets = Places(limits.per_caller, limits.in_all, kind="graphql_ws")
        self._streams = Places(limits.per_caller, limits.in_all, kind="graphql_sse")
        self._pages = None if settings.is_production else Pages(Path(__file__).parent / "templates")

    async def run(self, request: Any, context: Any = UNSET, root_value: Any = UNSET) -> Any:
        if isinstance(request, WebSocket):
            with self._admitted(context, self._sockets):
                return await super().run(request, context, root_value)
        streamed = accepts_events(request.headers.get("accept", ""))
        if request.method == "POST":
            require_json(request)
            if not streamed:
                require_acceptable(request.scope)
            request = decoded(request, MAX_BODY_BYTES)
        elif not streamed:
            if not any(name in request.query_params for name in NAMES):
                return self._show_ide(request)
            require_acceptable(request.scope)
            return await self._answered(self._read(request, context), request)
        answer = self._stream(request, context) if streamed else super().run(request, context, root_value)
        return await self._answered(answer, request)

    async def _answered(self, answer: Awaitable[Response], request: Request) -> Response:
        try:
            return await answer
        except BadRequest as error:
            return _refuse(Failure(error, 400, error), request)
        except (PersistedQueryNotFound, OperationNotRegistered) as error:
            # As any operation that cannot run: plain JSON keeps 200 (graphql-over-http, 6.4.1).
            plain = media_type_for(request.scope) == JSON and not accepts_events(request.headers.get("accept", ""))
            return _refuse(Failure(error, 200 if plain else status_of(type(error)), error), request)

    async def _stream(self, request: Request, context: Context) -> EventStreamResponse:
        data = await self.parse_http_body(self.request_adapter_class(request))
        query = await text_of(data.query, data.named, data.operation_name, context)
        # By GET, which pages of any origin can send, what changes nothing: an EventSource has no other method.
        kinds = (OperationType.SUBSCRIPTION,) if request.method == "GET" else tuple(OperationType)
        results = await self.schema.stream(
            query,
            variable_values=data.variables,
            context_value=context,
            operation_name=data.operation_name,
            allowed_operation_types=kinds,
        )
        admitted = self._admitted(context, self._streams)
        stream = event_stream(cast("Results", results), context.line, admitted, self.limits.comment_seconds)
        return EventStreamResponse(stream, kind="graphql")

    @contextmanager
    def _admitted(self, context: Context, places: Places) -> Iterator[None]:
        """Raises ServerStopping, TooManyStreams."""
        line = context.line
        try:
            line.admit(context.principal, places, context.address)
            yield
        finally:
            line.release()

    async def _read(self, request: Request, context: Context) -> Response:
        """By GET, which pages of any origin can send and shared caches keep: what is registered and changes nothing.

        An answer without errors has an entity tag over its data, which alone it holds: the rest is the caller's own.
        """
        require_acceptable(request.scope)
        data = await self.parse_http_body(self.request_adapter_class(request))
        operation = await context.registry.find(current_client().name, data.named or "")
        if data.query or (operation is not None and operation.kind != "query"):
            return _refuse(_ONLY_POST, request)
        if operation is None:
            raise PersistedQueryNotFound  # Apollo's clients then send the text, by POST
        result = await self.execute_single(request_data=replace(data, query=operation.text), context=context)
        sub_response = await self.get_sub_response(request)
        if result.errors:
            return self.create_response(await self.process_result(request, result), sub_response)
        answer = json_response({"data": result.data}, 200, sub_response.media_type or "")
        tag = weak_tag(bytes(answer.body))
        headers = cache_headers(tag, public=context.principal.kind == "anonymous", vary=_VARY)
        if is_current(request.headers.get("if-none-match"), tag):
            return not_modified(headers)
        answer.headers.update(headers)
        return answer

    def _show_ide(self, request: Request) -> Response:
        wanted = "text/html" in request.headers.get("accept", "") and "query" not in request.query_params
        if self._pages is None or not wanted:
            return _refuse(_ONLY_POST, request)
        return self._pages.render(request.scope, "graphiql.html")

    async def parse_http_body(self, request: AsyncHTTPRequestAdapter) -> RequestData:
        data = _of_address(request) if request.method == "GET" else _json(await request.get_body(), "the body")
        if isinstance(data, list):
            raise BadRequest("batches are not taken: send one operation a request")
        if not isinstance(data, dict):
            raise BadRequest("the body is not a JSON object")
        for name, kind in FIELDS.items():
            if not isinstance(data.get(name), kind | None):
                raise BadRequest(f"{name} is not {'a string' if kind is str else 'an object'}")
        named = hash_of(data)
        if not data.get("query") and named is None:
            raise BadRequest("query is missing")
        return RequestData(
            query=data.get("query"),
            variables=data.get("variables"),
            operation_name=data.get("operationName"),
            extensions=data.get("extensions"),
            named=named,
        )

    async def execute_single(self, *, request_data: RequestData, context: Context, **_: Any) -> ExecutionResult:  # type: ignore[override]
        """An operation that cannot be found in the document, or needs a stream, is a fault of the document, not of the
        HTTP request.
        """
        data = request_data
        query = await text_of(data.query, data.named, data.operation_name, context)
        try:
            return await self.schema.execute(
                query,
                variable_values=data.variables,
                context_value=context,
                operation_name=data.operation_name,
                allowed_operation_types=(OperationType.QUERY, OperationType.MUTATION),
            )
        except CannotGetOperationTypeError as error:
            reason = error.as_http_error_reason()
        except InvalidOperationTypeError:
            reason = "subscriptions need a stream: WebSocket, or Accept: text/event-stream"
        return PreExecutionError(data=None, errors=[present(GraphQLError(reason), suggest=False)])

    async def get_sub_response(self, request: Request) -> Response:
        """Carries the media type to `create_response`, and belongs to one request: Strawberry's is shared by all."""
        response = Response()
        response.media_type = media_type_for(request.scope)
        return response

    def create_response(self, response_data: Any, sub_response: Response) -> Response:
        result: GraphQLHTTPResponse = response_data
        status = 200
        if _is_refused(result):
            del result["data"]  # nothing was executed
            # Plain JSON keeps 200, as clients of old expect (graphql-over-http, 6.4.1).
            status = 400 if sub_response.media_type == GRAPHQL_JSON else 200
        headers = {"Cache-Control": "no-store"}
        if (seconds := _over_budget(result)) is not None:
            status, headers["Retry-After"] = 429, str(seconds)
        if REPLAYED in (result.get("extensions") or {}):
            headers["Idempotency-Replayed"] = "true"
        return json_response(result, status, sub_response.media_type or "", headers)

    async def reject_websocket(self, request: WebSocket) -> WebSocket:  # noqa: ARG002
        raise Denied("pages of this origin may not connect")

    async def on_ws_connect(self, context: Context) -> UnsetType:
        """Browsers cannot send headers with a handshake: `connection_init` may carry `authorization` instead, and
        `clientName` and `clientVersion`.
        """
        given = context.connection_params or {}
        request = current_request()
        if request is not None and "clientName" in given:
            request.client = client_named(given["clientName"], given.get("clientVersion"))
        for name, value in given.items():
            if name.lower() == "authorization" and isinstance(value, str):
                try:
                    context.principal = await principal_of(value, context.resources)
                except Unauthenticated as error:
                    raise ConnectionRejectionError({"code": error.code}) from error
                context.authorization = value
                context.line.admit(context.principal, self._sockets, context.address)
        return UnsetType()


def _of_address(request: AsyncHTTPRequestAdapter) -> dict[str, Any]:
    """The same fields, as GraphQL over HTTP writes them into a query string."""
    data: dict[str, Any] = dict(request.query_params)
    return data | {name: _json(data[name], name) for name in ("variables", "extensions") if data.get(name)}


def _json(text: str | bytes, what: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise BadRequest(f"{what} is not JSON") from None


def _refuse(failure: Failure, request: Request) -> Response:
    report(failure)
    return render_error(failure, request.scope)


def _over_budget(result: GraphQLHTTPResponse) -> int | None:
    """The seconds after which the budget has the points of an operation that was refused for lack of them."""
    if "data" in result:
        return None
    extensions = cast("list[dict[str, Any]]", result["errors"])[0]["extensions"]
    seconds: int | None = extensions.get("retry_after_seconds") if extensions["code"] == QuotaExceeded.code else None
    return seconds


def _is_refused(result: GraphQLHTTPResponse) -> bool:
    """Whether the document or its variables kept the operation from running: errors of fields have a path."""
    errors = cast("list[dict[str, Any]]", result.get("errors") or [])
    return result.get("data") is None and bool(errors) and all(error.get("path") is None for error in errors)
