"""An operation by POST, answered at once: the short way, past FastAPI's and Strawberry's routing.

It stands before Strawberry's own route, which has the same address and answers what this does not match: streams.
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import Receive, Scope, Send

from core.web.bodies import decoded, require_json
from core.web.dependencies import get_broadcast, get_client_address, get_resources
from core.web.urls import route_path
from graphql_api.context import Context, open_context
from graphql_api.limits import MAX_BODY_BYTES
from graphql_api.persisted import text_of
from graphql_api.refused import answered
from graphql_api.requests import asking_of_body
from graphql_api.responses import media_type_for, require_acceptable
from graphql_api.roads import Roads
from graphql_api.sse import accepts_events


class PostRoute(BaseRoute):
    """Per application. `path` is as the application sees it."""

    def __init__(self, roads: Roads, path: str = "/") -> None:
        self.path = path
        self._roads = roads

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] != "http" or scope["method"] != "POST" or route_path(scope) != self.path:
            return Match.NONE, {}
        streamed = any(
            name == b"accept" and accepts_events(value.decode("latin-1")) for name, value in scope["headers"]
        )
        return (Match.NONE, {}) if streamed else (Match.FULL, {"route": self})

    def url_path_for(self, name: str, /, **path_params: Any) -> Any:
        raise NoMatchFound(name, path_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        context = await open_context(
            request,
            await get_resources(request),
            await get_client_address(request),
            await get_broadcast(request),
        )
        context.request = request
        response = await answered(self._answer(request, context), request)
        await response(scope, receive, send)

    async def _answer(self, request: Request, context: Context) -> Response:
        require_json(request)
        require_acceptable(request.scope)
        asking = asking_of_body(await decoded(request, MAX_BODY_BYTES).body())
        text = await text_of(asking.query, asking.named, asking.operation_name, context)
        answer = await self._roads.answer(text, asking, context)
        answer.offer(request.scope, with_cost=True)
        return answer.response(media_type_for(request.scope))
