"""Operations that others have superseded. Each of their answers says so (RFC 9745, and RFC 8288 for the link), as do
OpenAPI and the list for operators; who still asks is counted.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, cast

from fastapi.routing import APIRoute
from starlette.datastructures import URL
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from commerce.usage.entities import Deprecation
from core.context import current_client
from core.web.response_cache import counted
from core.web.urls import base_path

SUCCESSOR, SINCE = "x-successor", "x-deprecated-since"


def superseded(successor: str, since: date) -> dict[str, Any]:
    """Options of a route: `**superseded("/public/v2/products", date(2026, 11, 22))`."""
    return {"deprecated": True, "openapi_extra": {SUCCESSOR: successor, SINCE: since.isoformat()}}


@dataclass(frozen=True, slots=True)
class Supersession:
    """Of the route of one operation, which has one method."""

    method: str
    path: str
    successor: str
    since: date

    @classmethod
    def of(cls, route: APIRoute) -> "Supersession | None":
        if not route.deprecated:
            return None
        extra, (method,) = route.openapi_extra or {}, cast("set[str]", route.methods)
        return cls(method, route.path_format, extra[SUCCESSOR], date.fromisoformat(extra[SINCE]))

    def tell(self, request: Request, response: Response) -> None:
        home = base_path(request.scope)
        version = request.scope["root_path"].removeprefix(home)
        subject = self.subject(version)
        counted(request.scope, lambda scope: scope["state"]["uses"].note("rest", subject, current_client()))
        address = URL(scope=request.scope).replace(path=home + self.successor, query="")
        began = datetime.combine(self.since, time(), UTC)
        response.headers["Deprecation"] = f"@{began.timestamp():.0f}"
        response.headers["Link"] = f'<{address}>; rel="successor-version"'

    def subject(self, version: str) -> str:
        return f"{self.method} {version}{self.path}"


def deprecations(version: str, routes: Sequence[BaseRoute]) -> Iterator[Deprecation]:
    """Of the routes below an address such as `/public/v1`."""
    for route in routes:
        found = Supersession.of(route) if isinstance(route, APIRoute) else None
        if found is not None:
            yield Deprecation("rest", found.subject(version), f"Use {found.method} {found.successor}.", found.since)
