"""CORS for an audience. Credentials are bearer tokens, never cookies, so that `*` is safe where it is configured."""

from collections.abc import Sequence

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

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


def cors(origins: Sequence[str]) -> list[Middleware]:
    """The middleware for these origins, or none: without it a browser refuses by itself."""
    if not origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=list(origins),
            allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
            allow_headers=["*"],
            expose_headers=list(EXPOSED),
            max_age=600,
        )
    ]
