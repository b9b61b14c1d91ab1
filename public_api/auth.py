"""Who calls the public API, and what it may: dependencies for endpoints, each resting on the one before it.

bearer token -> principal -> somebody -> a person -> a person with a role
                                      -> somebody with a scope
"""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, OAuth2PasswordBearer
from starlette.requests import HTTPConnection

from commerce.accounts.authentication import principal_for
from commerce.accounts.errors import MissingRole, MissingScope, UserRequired
from commerce.accounts.principal import Principal, Role, Scope
from commerce.accounts.throttling import caller_of, network_of
from commerce.accounts.watch import CredentialWatch
from core.budget import READ_POINTS, WRITE_POINTS
from core.errors import Unauthenticated
from core.resources import Resources
from core.web.dependencies import ClientAddressDep, ResourcesDep
from core.web.middleware.quota import spend

# Without the prefix of a proxy: the served documents name that.
TOKEN_URL = "/public/v1/auth/token"  # noqa: S105  an address
_bearer = HTTPBearer(
    auto_error=False, scheme_name="apiKey", bearerFormat="ptk_<id>_<secret>", description="An API key of yours."
)
_signed_in = OAuth2PasswordBearer(
    TOKEN_URL, auto_error=False, scheme_name="signIn", description="Your email address as username, and your password."
)


async def get_token(
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    _documented: Annotated[str | None, Depends(_signed_in)],
) -> str | None:
    """The bearer token, an API key or an access token: both schemes read the same header."""
    return credentials.credentials if credentials is not None else None


TokenDep = Annotated[str | None, Depends(get_token)]


async def charged(
    connection: HTTPConnection, resources: Resources, address: str, finding: Awaitable[Principal]
) -> Principal:
    """The principal, who pays for the request; where credentials are refused, it is their network that pays. Raises
    QuotaExceeded.
    """
    points = READ_POINTS if connection.scope.get("method", "GET") == "GET" else WRITE_POINTS
    try:
        principal = await finding
    except Unauthenticated:
        await spend(connection, resources.budget, network_of(address), points)
        raise
    await spend(connection, resources.budget, caller_of(principal, address), points)
    return principal


async def get_principal(
    connection: HTTPConnection, token: TokenDep, resources: ResourcesDep, address: ClientAddressDep
) -> Principal:
    """Anonymous without a token; a bad one is refused, also where anonymous callers are welcome."""
    return await charged(connection, resources, address, principal_for(token, resources, "public", address))


PrincipalDep = Annotated[Principal, Depends(get_principal)]


@dataclass(frozen=True, slots=True)
class RequireSomebody:
    """Lets through people and API keys, whatever their scopes."""

    auth_rule = "somebody"

    async def __call__(self, principal: PrincipalDep) -> Principal:
        if principal.kind == "anonymous":
            raise Unauthenticated
        return principal


SomebodyDep = Annotated[Principal, Depends(RequireSomebody())]


@dataclass(frozen=True, slots=True)
class RequireUser:
    """Lets through people, and no API keys."""

    auth_rule = "user"

    async def __call__(self, principal: SomebodyDep) -> Principal:
        if principal.kind != "user":
            raise UserRequired
        return principal


UserDep = Annotated[Principal, Depends(RequireUser())]


@dataclass(frozen=True, slots=True)
class RequireRole:
    """Lets through people with the role or a higher one."""

    role: Role

    @property
    def auth_rule(self) -> str:
        return f"role {self.role}"

    async def __call__(self, principal: UserDep) -> Principal:
        if not principal.has_role(self.role):
            raise MissingRole(f"this operation needs the role {self.role}")
        return principal


@dataclass(frozen=True, slots=True)
class RequireScope:
    """Lets through principals that have the scope."""

    scope: Scope

    @property
    def auth_rule(self) -> str:
        return f"scope {self.scope}"

    async def __call__(self, principal: SomebodyDep) -> Principal:
        if not principal.may(self.scope):
            raise MissingScope(f"this operation needs the scope {self.scope}")
        return principal


async def get_watch(connection: HTTPConnection) -> CredentialWatch:
    """This process's."""
    watch: CredentialWatch = connection.state.watch
    return watch


WatchDep = Annotated[CredentialWatch, Depends(get_watch)]
CatalogWriter = Annotated[Principal, Depends(RequireScope("catalog:write"))]
