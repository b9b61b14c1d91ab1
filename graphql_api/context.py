"""What resolvers see: the process's resources, who calls, and the loaders of this one operation."""

from typing import TypeAlias

import strawberry
from fastapi.security.utils import get_authorization_scheme_param
from starlette.requests import HTTPConnection
from strawberry.fastapi import BaseContext

from commerce.accounts.authentication import principal_for
from commerce.accounts.principal import Principal
from core.resources import Resources
from core.web.dependencies import ResourcesDep
from graphql_api.loaders import Loaders


class Context(BaseContext):
    """Per operation. A WebSocket carries many on one connection: each gets loaders of its own, so that none is
    answered from what another has read.
    """

    def __init__(self, resources: Resources, principal: Principal) -> None:
        super().__init__()
        self.resources = resources
        self.principal = principal
        self.loaders = Loaders(resources.database)

    def for_operation(self) -> "Context":
        fresh = Context(self.resources, self.principal)
        fresh.request, fresh.response, fresh.background_tasks = self.request, self.response, self.background_tasks
        fresh.connection_params = self.connection_params
        return fresh


Info: TypeAlias = strawberry.Info[Context, None]


async def open_context(connection: HTTPConnection, resources: ResourcesDep) -> Context:
    """Raises Unauthenticated before anything is parsed, or a WebSocket accepted."""
    principal = await principal_of(connection.headers.get("authorization"), resources)
    return Context(resources, principal)


async def principal_of(authorization: str | None, resources: Resources) -> Principal:
    """As the public API reads the header: another scheme than Bearer is no credential."""
    scheme, token = get_authorization_scheme_param(authorization)
    bearer = token if scheme.lower() == "bearer" and token else None
    return await principal_for(bearer, resources.database, resources.clock.now())
