"""HEAD for every GET (RFC 9110, 9.3.2): the same headers, no body."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_MARK = "portico.head"


def is_head(scope: Scope) -> bool:
    """Whether nobody will read the body, also inside of the middleware, where the method is GET."""
    return scope["method"] == "HEAD" or _MARK in scope


class HeadMiddleware:
    """FastAPI's GET routes answer HEAD with 405; here they run as GET and their body is dropped."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return

        async def drop_body(message: Message) -> None:
            scope["method"] = "HEAD"  # the server frames the answer by it, and waits for a body after a GET
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        scope["method"] = "GET"
        scope[_MARK] = True
        try:
            await self.app(scope, receive, drop_body)
        finally:
            scope["method"] = "HEAD"
