"""A bound on request bodies, answered in the audience's shape.

Starlette's own limit (`max_body_size`) replaces the answer by plain text when Content-Length is over the limit.
"""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.web.errors import ContentTooLarge


class BodyTooLarge(HTTPException):
    """As an HTTPException: FastAPI turns any other error of reading a body into a 400."""

    def __init__(self) -> None:
        super().__init__(413)


class BodyLimitMiddleware:
    """Refuses by Content-Length before the app runs, and a body without one when it grows over `limit` bytes."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        for name, value in scope["headers"]:
            if name == b"content-length" and value.isdigit() and int(value) > self.limit:
                raise ContentTooLarge(f"the body has {int(value)} bytes; at most {self.limit} are taken")
        received = 0

        async def count() -> Message:
            nonlocal received
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if received > self.limit:
                    raise BodyTooLarge
            return message

        await self.app(scope, count, send)
