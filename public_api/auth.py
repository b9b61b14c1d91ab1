"""Who calls the public API, and what it may: dependencies for endpoints."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from commerce.accounts.authentication import principal_for
from commerce.accounts.errors import MissingScope
from commerce.accounts.principal import Principal, Scope
from core.errors import Unauthenticated
from core.web.dependencies import ResourcesDep

_bearer = HTTPBearer(
    auto_error=False, scheme_name="apiKey", bearerFormat="ptk_<id>_<secret>", description="An API key of yours."
)
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


async def get_principal(credentials: Credentials, resources: ResourcesDep) -> Principal:
    """Anonymous without credentials; bad ones are refused, also where anonymous callers are welcome."""
    token = credentials.credentials if credentials is not None else None
    return await principal_for(token, resources.database, resources.clock.now())


PrincipalDep = Annotated[Principal, Depends(get_principal)]


@dataclass(frozen=True, slots=True)
class RequireScope:
    """Lets through principals that have the scope."""

    scope: Scope

    @property
    def auth_rule(self) -> str:
        return f"scope {self.scope}"

    async def __call__(self, principal: PrincipalDep) -> Principal:
        if principal.kind == "anonymous":
            raise Unauthenticated
        if not principal.may(self.scope):
            raise MissingScope(f"this operation needs the scope {self.scope}")
        return principal


CatalogWriter = Annotated[Principal, Depends(RequireScope("catalog:write"))]
