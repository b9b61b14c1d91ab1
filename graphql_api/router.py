"""GraphQL over HTTP, SSE and WebSocket (graphql-over-http; graphql-transport-ws): Strawberry's router, with every
refusal in our shape and the media types of the specification.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from fastapi import Request, Response, WebSocket
from starlette.exceptions import HTTPException as StarletteHTTPException
from strawberry.exceptions import ConnectionRejectionError
from strawberry.fastapi import GraphQLRouter
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types.graphql import OperationType
from strawberry.types.unset import UNSET, UnsetType

from commerce.operations.errors import PersistedQueryNotFound
from core.context import client_named, current_client, current_request
from core.errors import Denied, Unauthenticated
from core.settings import Settings
from core.streams.places import Places
from core.web.bodies import decoded, require_json
from core.web.conditional import cache_headers, is_current, not_modified, weak_tag
from core.web.errors import failure_of
from core.web.event_stream import EventStreamResponse
from core.web.pages import Pages
from graphql_api.context import Context, open_context, principal_of
from graphql_api.limits import MAX_BODY_BYTES
from graphql_api.persisted import NAMES, text_of
from graphql_api.refused import answered, refuse
from graphql_api.requests import asking_of_address, asking_of_body
from graphql_api.responses import media_type_for, require_acceptable
from graphql_api.roads import Roads
from graphql_api.schema import Schema
from graphql_api.socket import TransportHandler, Wire
from graphql_api.sse import Results, accepts_events, event_stream
from graphql_api.streams import StreamLimits

_ONLY_POST = failure_of(StarletteHTTPException(405, headers={"Allow": "POST"}))
# What may be registered depends on the client; both of its headers, as `gateway.middleware` reads them.
_VARY = "Authorization, Accept, X-Client-Name, Apollographql-Client-Name"


class Router(GraphQLRouter[Context, None]):
    """Per application. Multipart, batches and the old graphql-ws protocol are off; by GET come registered queries
    alone. Server-sent events are `graphql_api.sse`'s, not Strawberry's.

    No page of another origin can make its visitor's browser change anything (CSRF): a POST is `application/json`, which
    no form sends and for which a browser asks first (CORS), a GET changes nothing, and there are no cookies.
    """

    graphql_transport_ws_handler_class = TransportHandler
    websocket_adapter_class = Wire

    def __init__(self, schema: Schema, settings: Settings, limits: StreamLimits, roads: Roads) -> None:
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
        self._roads = roads
        self._sockets = Places(limits.per_caller, limits.in_all, kind="graphql_ws")
        self._streams = Places(limits.per_caller, limits.in_all, kind="graphql_sse")
        self._pages = None if settings.is_production else Pages(Path(__file__).parent / "templates")

    async def run(self, request: Any, context: Any = UNSET, root_value: Any = UNSET) -> Any:
        if isinstance(request, WebSocket):
            with self._admitted(context, self._sockets):
                return await super().run(request, context, root_value)
        if accepts_events(request.headers.get("accept", "")):
            return await answered(self._stream(request, context), request)
        if not any(name in request.query_params for name in NAMES):
            return self._show_ide(request)
        return await answered(self._read(request, context), request)

    async def _stream(self, request: Request, context: Context) -> EventStreamResponse:
        # By GET, which pages of any origin can send, what changes nothing: an EventSource has no other method.
        kinds: tuple[OperationType, ...] = (OperationType.SUBSCRIPTION,)
        if request.method == "POST":
            require_json(request)
            kinds, asking = tuple(OperationType), asking_of_body(await decoded(request, MAX_BODY_BYTES).body())
        else:
            asking = asking_of_address(request.query_params)
        query = await text_of(asking.query, asking.named, asking.operation_name, context)
        results = await self.schema.stream(
            query,
            variable_values=asking.variables,
            context_value=context,
            operation_name=asking.operation_name,
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
        asking = asking_of_address(request.query_params)
        operation = await context.registry.find(current_client().name, asking.named or "")
        if asking.query or (operation is not None and operation.kind != "query"):
            return refuse(_ONLY_POST, request)
        if operation is None:
            raise PersistedQueryNotFound  # Apollo's clients then send the text, by POST
        media_type = media_type_for(request.scope)
        answer = await self._roads.answer(operation.text, asking, context)
        body = answer.lasting()
        if body is None:
            return answer.response(media_type)
        tag = weak_tag(body)
        headers = cache_headers(tag, public=context.principal.kind == "anonymous", vary=_VARY)
        if is_current(request.headers.get("if-none-match"), tag):
            return not_modified(headers)
        answer.offer(request.scope, with_cost=False)
        return Response(body, 200, headers, media_type)

    def _show_ide(self, request: Request) -> Response:
        wanted = "text/html" in request.headers.get("accept", "") and "query" not in request.query_params
        if self._pages is None or not wanted:
            return refuse(_ONLY_POST, request)
        return self._pages.render(request.scope, "graphiql.html")

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
                    context.principal = await principal_of(value, context.resources, context.address)
                except Unauthenticated as error:
                    raise ConnectionRejectionError({"code": error.code}) from error
                context.authorization = value
                context.line.admit(context.principal, self._sockets, context.address)
        return UnsetType()
