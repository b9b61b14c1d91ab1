"""A bound on request bodies, answered in the audience's shape.

Starlette's own limit (`max_body_size`) replaces the answer by plain text when Content-Length is over the limit.
"""

import re
from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.web.errors import ContentTooLarge
from core.web.urls import route_path

_DIGITS = 18


class BodyLimitMiddleware:
    """Refuses by Content-Length before the app runs, and a body without one when it grows over `limit` bytes.

    `uploads`: addresses, as the application matches them, that take files, and their own limits.
    """

    def __init__(self, app: ASGIApp, limit: int, uploads: Mapping[re.Pattern[str], int] | None = None) -> None:
        self.app = app
        self._limit = limit
        self._uploads = uploads or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self._limit_of(scope)
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

    def _limit_of(self, scope: Scope) -> int:
        path = route_path(scope) if self._uploads and scope["method"] == "POST" else ""
        return next((limit for address, limit in self._uploads.items() if address.fullmatch(path)), self._limit)


def _refusal(limit: int) -> ContentTooLarge:
    return ContentTooLarge(f"at most {limit} bytes are taken")
