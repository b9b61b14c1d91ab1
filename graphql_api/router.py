"""GraphQL over HTTP, SSE and WebSocket (graphql-over-http; graphql-transport-ws): Strawberry's router, with every
refusal in our shape and the media types of the specification.
"""

import json
from pathlib import Path
from typing import Any, cast

from cross_web import AsyncHTTPRequestAdapter, HTTPException
from fastapi import Request, Response, WebSocket
from graphql import GraphQLError
from starlette.exceptions import HTTPException as StarletteHTTPException
from strawberry.exceptions import ConnectionRejectionError
from strawberry.fastapi import GraphQLRouter
from strawberry.http import GraphQLHTTPResponse, GraphQLRequestData
from strawberry.subscriptions import GRAPHQL_SSE_PROTOCOL, GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler
from strawberry.subscriptions.protocols.graphql_transport_ws.types import Message
from strawberry.types import ExecutionResult
from strawberry.types.execution import PreExecutionError
from strawberry.types.unset import UNSET, UnsetType

from core.errors import AppError, Denied
from core.settings import Settings
from core.web.bodies import decoded, require_json
from core.web.errors import Failure, failure_of, report
from core.web.pages import Pages
from graphql_api.context import Context, open_context, principal_of
from graphql_api.errors import BadRequest, present, render_error
from graphql_api.once import REPLAYED
from graphql_api.responses import GRAPHQL_JSON, json_response, media_type_for
from graphql_api.schema import Schema

# Of a body as the application holds it: what was sent, or what it inflates to.
MAX_BODY_BYTES = 256 * 1024
_FIELDS: dict[str, type] = {"query": str, "operationName": str, "variables": dict, "extensions": dict}


class TransportHandler(BaseGraphQLTransportWSHandler[Context, None]):
    """Refuses messages of the wrong shape, which Strawberry would fail on: that would be logged as a bug of ours."""

    async def handle_message(self, message: Message) -> None:
        given: Any = message
        if not isinstance(given, dict) or not _is_well_formed(given):
            await self.handle_invalid_message("Failed to parse message")
            return
        await super().handle_message(message)


class Router(GraphQLRouter[Context, None]):
    """Per application. Multipart, batches and the old graphql-ws protocol are off, queries by GET too."""

    graphql_transport_ws_handler_class = TransportHandler

    def __init__(self, schema: Schema, settings: Settings) -> None:
        super().__init__(
            schema,
            path="/",
            context_getter=open_context,
            allow_queries_via_get=False,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL, GRAPHQL_SSE_PROTOCOL),
            allowed_origins=settings.cors_origins,
        )
        self._pages = None if settings.is_production else Pages(Path(__file__).parent / "templates")

    async def run(self, request: Any, context: Any = UNSET, root_value: Any = UNSET) -> Any:
        if isinstance(request, Request):
            if request.method == "GET":
                return self._show_ide(request)
            require_json(request)
            request = decoded(request, MAX_BODY_BYTES)
        try:
            return await super().run(request, context, root_value)
        except BadRequest as error:
            return _refuse(Failure(error, 400, error), request)

    def _show_ide(self, request: Request) -> Response:
        wanted = "text/html" in request.headers.get("accept", "") and "query" not in request.query_params
        if self._pages is None or not wanted:
            return _refuse(failure_of(StarletteHTTPException(405, headers={"Allow": "POST"})), request)
        return self._pages.render(request.scope, "graphiql.html")

    async def parse_http_body(self, request: AsyncHTTPRequestAdapter) -> GraphQLRequestData:
        body = cast("str | bytes", await request.get_body())
        try:
            data = json.loads(body)
        except (ValueError, RecursionError):
            raise BadRequest("the body is not JSON") from None
        if isinstance(data, list):
            raise BadRequest("batches are not taken: send one operation a request")
        if not isinstance(data, dict):
            raise BadRequest("the body is not a JSON object")
        for name, kind in _FIELDS.items():
            if not isinstance(data.get(name), kind | None):
                raise BadRequest(f"{name} is not {'a string' if kind is str else 'an object'}")
        if not data.get("query"):
            raise BadRequest("query is missing")
        transport = self._get_stream_transport_from_headers(request.headers)
        return GraphQLRequestData(
            query=data["query"],
            variables=data.get("variables"),
            operation_name=data.get("operationName"),
            extensions=data.get("extensions"),
            protocol=transport.protocol if transport else "http",
        )

    async def execute_single(self, *arguments: Any, **named: Any) -> ExecutionResult:
        """An operation that cannot be found in the document is a fault of the document, not of the HTTP request."""
        try:
            return await super().execute_single(*arguments, **named)
        except HTTPException as error:
            return PreExecutionError(data=None, errors=[present(GraphQLError(error.reason), suggest=False)])

    async def get_sub_response(self, request: Request) -> Response:
        """Carries the media type to `create_response`, and belongs to one request: Strawberry's is shared by all."""
        response = Response()
        del response.headers["Content-Length"]  # of this empty body; a stream takes over the headers
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
        if REPLAYED in (result.get("extensions") or {}):
            headers["Idempotency-Replayed"] = "true"
        return json_response(result, status, sub_response.media_type or "", headers)

    async def reject_websocket(self, request: WebSocket) -> WebSocket:  # noqa: ARG002
        raise Denied("pages of this origin may not connect")

    async def on_ws_connect(self, context: Context) -> UnsetType:
        """Browsers cannot send headers with a handshake: `connection_init` may carry `authorization` instead."""
        for name, value in (context.connection_params or {}).items():
            if name.lower() == "authorization" and isinstance(value, str):
                try:
                    context.principal = await principal_of(value, context.resources)
                    context.authorization = value
                except AppError as error:
                    raise ConnectionRejectionError({"code": failure_of(error).error.code}) from error
        return UnsetType()


def _refuse(failure: Failure, request: Request) -> Response:
    report(failure)
    return render_error(failure, request.scope)


def _is_refused(result: GraphQLHTTPResponse) -> bool:
    """Whether the document or its variables kept the operation from running: errors of fields have a path."""
    errors = cast("list[dict[str, Any]]", result.get("errors") or [])
    return result.get("data") is None and bool(errors) and all(error.get("path") is None for error in errors)


def _is_well_formed(message: dict[str, Any]) -> bool:
    if message.get("type") not in ("subscribe", "complete"):
        return isinstance(message.get("type"), str)
    if not isinstance(message.get("id"), str):
        return False
    payload = message.get("payload")
    return message["type"] == "complete" or (
        isinstance(payload, dict)
        and isinstance(payload.get("query"), str)
        and all(isinstance(payload.get(name), kind | None) for name, kind in _FIELDS.items())
    )
