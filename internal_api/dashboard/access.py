"""Who may look: staff, by a token of this door as everywhere in it, or by the cookie that signing in here sets.

The cookie holds a token of an audience of its own, which opens these pages and nothing else, in whatever header it is
sent; a script cannot read it, and no other site's page makes a browser send it.
"""

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from commerce.accounts.authentication import principal_for
from commerce.accounts.principal import Principal
from core.errors import Denied
from core.settings import Settings
from core.web.dependencies import ClientAddressDep, ResourcesDep
from core.web.sockets.handshake import bearer_token
from core.web.urls import base_path
from internal_api.auth import LOWEST, get_principal

COOKIE = "portico_dashboard"
PATH = "/internal/dashboard"


class ForeignForm(Denied):
    """This form was sent by a page of another site, or by one that does not say where it is from."""

    code = "foreign_form"
    title = "Form of another site"


@dataclass(frozen=True, slots=True)
class RequireViewer:
    """Lets through all staff. A token in the header wins over the cookie."""

    auth_rule = LOWEST.auth_rule

    async def __call__(
        self, connection: HTTPConnection, resources: ResourcesDep, address: ClientAddressDep
    ) -> Principal:
        if bearer_token(connection) is not None:
            return LOWEST.check(await get_principal(connection, resources, address))
        token = connection.cookies.get(COOKIE)
        return LOWEST.check(await principal_for(token, resources, "dashboard", address))


Viewer = Annotated[Principal, Depends(RequireViewer())]


async def require_own_form(request: Request, resources: ResourcesDep) -> None:
    """What is no browser says nothing of where it is from. Raises ForeignForm."""
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site not in (None, "same-origin") or (origin is not None and not _is_ours(origin, request, resources.settings)):
        raise ForeignForm("sign in and out on the dashboard's own page")


OwnForm = Depends(require_own_form)


def _is_ours(origin: str, request: Request, settings: Settings) -> bool:
    ours = {request.headers.get("host", "").lower()}
    if settings.server.public_url is not None:
        ours.add(urlsplit(str(settings.server.public_url)).netloc.lower())
    return origin.partition("://")[2].lower() in ours


def remember(response: Response, token: str, seconds: int, request: Request, settings: Settings) -> None:
    """`seconds` 0 forgets it."""
    response.set_cookie(
        COOKIE,
        token,
        max_age=seconds,
        path=f"{base_path(request.scope)}{PATH}",
        secure=settings.is_production or request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
