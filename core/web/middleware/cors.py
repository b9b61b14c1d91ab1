"""CORS for an audience. Credentials are bearer tokens, never cookies, so that `*` is safe where it is configured."""

from collections.abc import Iterable, Sequence

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.types import Message, Receive, Scope, Send

from core.web.headers import headers_of

EXPOSED = (
    "ETag",
    "Accept-Ranges",
    "Content-Disposition",
    "Content-Range",
    "Link",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "X-Request-ID",
    "Idempotency-Replayed",
    "Deprecation",
    "Server-Timing",
)


class CorsMiddleware(CORSMiddleware):
    """Starlette's, with a short way for what comes from no page, which is most of what an API is asked."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or b"origin" in headers_of(scope):
            await super().__call__(scope, receive, send)
            return

        async def vary(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = _varying(message.get("headers", ()))
            await send(message)

        await self.app(scope, receive, vary)


def _varying(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """A page of an origin might get another answer from the same address."""
    others = [pair for pair in headers if pair[0] != b"vary"]
    return [*others, (b"vary", b", ".join([*(value for name, value in headers if name == b"vary"), b"Origin"]))]


def cors(origins: Sequence[str]) -> list[Middleware]:
    """The middleware for these origins, or none: without it a browser refuses by itself."""
    if not origins:
        return []
    return [
        Middleware(
            CorsMiddleware,
            allow_origins=list(origins),
            allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
            allow_headers=["*"],
            expose_headers=list(EXPOSED),
            max_age=600,
        )
    ]
