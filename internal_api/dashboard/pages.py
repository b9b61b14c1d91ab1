"""HTML of this door. It runs our own scripts alone, and is framed by nobody."""

from typing import Any

from starlette.responses import Response
from starlette.types import Scope

from core.context import current_request_id
from core.errors import Denied, RateLimited, Unauthenticated
from core.web.errors import Failure
from core.web.headers import headers_of
from core.web.urls import base_path
from internal_api.dashboard.access import PATH
from internal_api.dashboard.snapshots import pages

# Stricter than that of other pages: no inline styles, no address but ours, and HTML by the page's one policy alone.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types portico-dashboard"
)
_HEADERS = {"Content-Security-Policy": _POLICY, "Vary": "Accept, Authorization, Cookie"}


def page(scope: Scope, template: str, status: int = 200, **values: Any) -> Response:
    return pages.render(scope, template, status, _HEADERS, **values)


def wants_page(scope: Scope) -> bool:
    """Whether it is a browser that asked for something of the dashboard."""
    path = str(scope["path"]).removeprefix(base_path(scope))
    return f"{path}/".startswith(f"{PATH}/") and b"text/html" in headers_of(scope).get(b"accept", b"")


def refusal_page(failure: Failure, scope: Scope) -> Response:
    """Why not, and where it helps the form to sign in."""
    error = failure.error
    kind = "sign_in" if isinstance(error, Unauthenticated | Denied | RateLimited) else "refused"
    response = page(
        scope,
        f"dashboard/{kind}.html",
        failure.status,
        title=error.title,
        detail="" if type(error) is Unauthenticated else error.detail,
        code=error.code,
        request_id=current_request_id(),
    )
    response.headers.update(failure.headers)
    return response
