"""Before a socket is accepted: where its page is from, and what it brings to say who it is."""

from urllib.parse import urlsplit

from fastapi.security.utils import get_authorization_scheme_param
from starlette.requests import HTTPConnection

from core.errors import Denied
from core.settings import Settings

SUBPROTOCOL = "portico.v1"
_BEARER = "bearer."


class OriginNotAllowed(Denied):
    """Pages of this origin may not open a WebSocket here. Add it to CORS_ORIGINS."""

    code = "origin_not_allowed"
    title = "Origin not allowed"


def bearer_token(connection: HTTPConnection) -> str | None:
    """Of the Authorization header, or of the subprotocol `bearer.<token>`: browsers send no header."""
    scheme, token = get_authorization_scheme_param(connection.headers.get("authorization"))
    if scheme.lower() == "bearer" and token:
        return token
    bearing = _bearing(_offered(connection))
    return (bearing or "").removeprefix(_BEARER) or None


def chosen_subprotocol(connection: HTTPConnection) -> str | None:
    """A browser that offered subprotocols breaks off where none is chosen. It should offer `portico.v1` beside its
    token; where it offers the token alone, that is chosen: who hears it has just said it.
    """
    offered = _offered(connection)
    return SUBPROTOCOL if SUBPROTOCOL in offered else _bearing(offered)


def _offered(connection: HTTPConnection) -> list[str]:
    return [each.strip() for each in connection.scope.get("subprotocols", ())]


def _bearing(offered: list[str]) -> str | None:
    return next((each for each in offered if each.startswith(_BEARER)), None)


def check_origin(connection: HTTPConnection, settings: Settings) -> None:
    """What is no browser names none. Browsers do not ask, as they would for other requests, whether a page of another
    origin may open a socket. So `*` counts only where the operator has written it. Raises OriginNotAllowed.
    """
    origin = connection.headers.get("origin")
    if origin is None:
        return
    named = settings.server.cors_origins or ()
    ours = {connection.headers.get("host", "")}
    if settings.server.public_url is not None:
        ours.add(urlsplit(str(settings.server.public_url)).netloc)
    home = origin.partition("://")[2]
    is_ours = home.lower() in {each.lower() for each in ours}
    if not is_ours and origin not in named and "*" not in named:
        raise OriginNotAllowed(f"pages of {origin[:200]!r} may not open a WebSocket here")
