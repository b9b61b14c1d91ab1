"""A bound on request bodies, answered in the audience's shape.

Starlette's own limit (`max_body_size`) replaces the answer by plain text when Content-Length is over the limit.
"""

from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.web.errors import ContentTooLarge

_DIGITS = 18


class BodyLimitMiddleware:
    """Refuses by Content-Length before the app runs, and a body without one when it grows over `limit` bytes.

    `larger` has the limits of what takes more, by path below the mount.
    """

    def __init__(self, app: ASGIApp, limit: int, larger: Mapping[str, int] | None = None) -> None:
        self.app = app
        self.limit = limit
        self.larger = larger or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self.larger.get(scope["path"].removeprefix(scope.get("root_path", "")), self.limit)
        for name, value in scope["headers"]:
            # By length first: Python refuses to read numbers of thousands of digits.
            if name == b"content-length" and value.isdigit() and (len(value) > _DIGITS or int(value) > limit):
                raise _refusal(limit)
        received = 0

        async def count() -> Message:
            nonlocal received
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if received > limit:
                    raise _refusal(limit)
            return message

        await self.app(scope, count, send)


def _refusal(limit: int) -> ContentTooLarge:
    return ContentTooLarge(f"at most {limit} bytes are taken")
