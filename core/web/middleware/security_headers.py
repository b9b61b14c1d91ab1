"""Security headers fit for an audience (OWASP Secure Headers)."""

from collections.abc import Mapping
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

# What every answer has; an API's answers are never to be run, framed or sniffed.
COMMON = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
}
API_POLICY = "default-src 'none'; frame-ancestors 'none'"
# Pages of our own: scripts and styles from files; inline styles because Swagger UI and GraphiQL set them.
PAGE_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; worker-src 'self' blob:; connect-src 'self' ws: wss:; object-src 'none'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HSTS = {"Strict-Transport-Security": "max-age=31536000; includeSubDomains"}


class SecurityHeadersMiddleware:
    """Adds headers that the answer does not have yet; HTML gets the policy of pages.

    A 304 gets no policy: its headers replace those of the page that the browser has (RFC 9111, 3.2), and it does not
    say what that is.
    """

    def __init__(self, app: ASGIApp, headers: Mapping[str, str] | None = None, *, https_only: bool = False) -> None:
        self.app = app
        given = {**COMMON, **(HSTS if https_only else {}), **(headers or {})}
        self._headers = [(name.lower().encode(), value.encode()) for name, value in given.items()]
        self._of_api = [*self._headers, (b"content-security-policy", API_POLICY.encode())]
        self._of_page = [*self._headers, (b"content-security-policy", PAGE_POLICY.encode())]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def add_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = dict(message["headers"])
                if message["status"] == HTTPStatus.NOT_MODIFIED:
                    wanted = self._headers
                elif present.get(b"content-type", b"").startswith(b"text/html"):
                    wanted = self._of_page
                else:
                    wanted = self._of_api
                message["headers"] = [*message["headers"], *[pair for pair in wanted if pair[0] not in present]]
            await send(message)

        await self.app(scope, receive, add_headers)
