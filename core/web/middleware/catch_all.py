"""The last resort of an app: whatever nobody handled becomes one log entry and the audience's 500."""

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from core.web.errors import ErrorRenderer, close_websocket, failure_of, report


class CatchAllMiddleware:
    """Sits inside CORS, so that the 500 keeps its CORS headers, and outside all that may fail. Does not re-raise.

    An error after the response began cannot be answered any more: returning without the last body message makes the
    server cut the connection, which is how the client learns that the body is not whole.
    """

    def __init__(self, app: ASGIApp, render: ErrorRenderer) -> None:
        self.app = app
        self.render = render

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        started = closed = False

        async def watch(message: Message) -> None:
            nonlocal started, closed
            started = started or message["type"] in ("http.response.start", "websocket.accept")
            closed = closed or message["type"] in ("websocket.close", "websocket.http.response.start")
            await send(message)

        try:
            await self.app(scope, receive, watch)
        except (ClientDisconnect, WebSocketDisconnect):
            return  # nobody is there to be answered, and nothing is wrong with us: the access line has it
        except Exception as exc:  # noqa: BLE001  that is what it is for
            failure = failure_of(exc)
            report(failure, response_started=started)
            if scope["type"] == "http":
                if not started:
                    await self.render(failure, scope)(scope, receive, send)
            elif not closed:
                websocket = WebSocket(scope, receive, send)
                websocket.application_state = WebSocketState.CONNECTED if started else WebSocketState.CONNECTING
                await close_websocket(websocket, failure, self.render)
