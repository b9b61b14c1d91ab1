"""Who may enter: until staff sign in, the holder of the metrics token. Every operation asks; none is open."""

import hmac
from dataclasses import dataclass

from starlette.requests import HTTPConnection

from core.errors import Unauthenticated
from core.web.dependencies import ResourcesDep


@dataclass(frozen=True, slots=True)
class RequireOperator:
    auth_rule = "operator"

    async def __call__(self, connection: HTTPConnection, resources: ResourcesDep) -> None:
        token = resources.settings.server.metrics_token
        given = connection.headers.get("authorization", "").removeprefix("Bearer ").encode("utf-8", "replace")
        if token is None or not hmac.compare_digest(given, token.get_secret_value().encode()):
            raise Unauthenticated
