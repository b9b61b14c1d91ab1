"""Who may enter: staff with a token of this door, by their role; and for the metrics, whoever has their token."""

import hmac
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from commerce.accounts.authentication import principal_for
from commerce.accounts.errors import MissingRole
from commerce.accounts.principal import Principal, Role
from core.errors import Unauthenticated
from core.web.dependencies import ClientAddressDep, ResourcesDep, get_client_address
from core.web.sockets.handshake import bearer_token


async def get_principal(connection: HTTPConnection, resources: ResourcesDep, address: ClientAddressDep) -> Principal:
    """Who works here pays nothing: while others spend all there is, operators come in."""
    return await principal_for(bearer_token(connection), resources, "internal", address)


@dataclass(frozen=True, slots=True)
class RequireStaff:
    """Lets through staff with the role or a higher one."""

    role: Role

    @property
    def auth_rule(self) -> str:
        return f"role {self.role}"

    async def __call__(self, principal: Annotated[Principal, Depends(get_principal)]) -> Principal:
        return self.check(principal)

    def check(self, principal: Principal) -> Principal:
        if principal.kind == "anonymous":
            raise Unauthenticated
        if not principal.has_role(self.role):
            raise MissingRole(f"this operation needs the role {self.role}")
        return principal


# Every operation asks for this role, without saying so; some ask for more.
LOWEST = RequireStaff("support")
Editor = Annotated[Principal, Depends(RequireStaff("editor"))]
Admin = Annotated[Principal, Depends(RequireStaff("admin"))]


@dataclass(frozen=True, slots=True)
class RequireMetricsReader:
    """Lets through the holder of METRICS_TOKEN, without a look into the database, and all staff."""

    auth_rule = "metrics token or role support"

    async def __call__(self, connection: HTTPConnection, resources: ResourcesDep) -> None:
        secret = resources.settings.server.metrics_token
        given = (bearer_token(connection) or "").encode("utf-8", "replace")
        if secret is None or not hmac.compare_digest(given, secret.get_secret_value().encode()):
            address = await get_client_address(connection)
            LOWEST.check(await get_principal(connection, resources, address))
