"""A bound on request bodies, answered in the audience's shape.

Starlette's own limit (`max_body_size`) replaces the answer by plain text when Content-Length is over the limit.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.web.errors import ContentTooLarge

_DIGITS = 18


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
            # By length first: Python refuses to read numbers of thousands of digits.
            if name == b"content-length" and value.isdigit() and (len(value) > _DIGITS or int(value) > self.limit):
                raise self._refusal()
        received = 0

        async def count() -> Message:
            nonlocal received
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if received > self.limit:
                    raise self._refusal()
            return message

        await self.app(scope, count, send)

    def _refusal(self) -> ContentTooLarge:
        return ContentTooLarge(f"at most {self.limit} bytes are taken")
