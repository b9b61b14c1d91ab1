"""What resolvers see: the process's resources, who calls, and the loaders of this one operation."""

from collections.abc import Hashable
from typing import TypeAlias

import strawberry
from fastapi.security.utils import get_authorization_scheme_param
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket
from strawberry.fastapi import BaseContext

from commerce.accounts.authentication import principal_for
from commerce.accounts.principal import Principal
from commerce.usage.recorder import UseRecorder
from core.resources import Resources
from core.web.dependencies import BroadcastDep, ClientAddressDep, ResourcesDep
from graphql_api.loaders import Loaders
from graphql_api.streams import Line


class Context(BaseContext):
    """Per operation. A WebSocket carries many on one connection: each gets loaders of its own, so that none is
    answered from what another has read.
    """

    def __init__(
        self,
        resources: Resources,
        principal: Principal,
        line: Line,
        *,
        uses: UseRecorder,
        authorization: str | None,
        address: str,
    ) -> None:
        super().__init__()
        self.resources = resources
        self.principal = principal
        self.line = line
        self.uses = uses
        self.authorization = authorization  # the header, or what stands for it on a WebSocket
        self.address = address
        self.loaders = Loaders(resources.database, principal)
        self.columns: dict[tuple[Hashable, ...], frozenset[str]] = {}  # as graphql_api.selection has found them
        self.replayed: list[str] = []  # the names, in the answer, of the fields that an idempotency key has replayed

    def for_operation(self) -> "Context":
        fresh = Context(
            self.resources,
            self.principal,
            self.line,
            uses=self.uses,
            authorization=self.authorization,
            address=self.address,
        )
        fresh.request, fresh.response, fresh.background_tasks = self.request, self.response, self.background_tasks
        fresh.connection_params = self.connection_params
        return fresh

    async def renew_principal(self) -> None:
        """A WebSocket outlives its token, or its user's rights: each operation asks again. Raises Unauthenticated."""
        if isinstance(self.request, WebSocket):
            self.principal = await principal_of(self.authorization, self.resources)
            self.forget()

    def forget(self) -> None:
        """What was loaded: a subscription shows what is there now."""
        self.loaders = Loaders(self.resources.database, self.principal)


Info: TypeAlias = strawberry.Info[Context, None]


async def open_context(
    connection: HTTPConnection, resources: ResourcesDep, address: ClientAddressDep, broadcast: BroadcastDep
) -> Context:
    """Raises Unauthenticated before anything is parsed, or a WebSocket accepted."""
    authorization = connection.headers.get("authorization")
    principal = await principal_of(authorization, resources)
    line = Line(broadcast, connection.state.watch)
    uses = connection.state.uses
    return Context(resources, principal, line, uses=uses, authorization=authorization, address=address)


async def principal_of(authorization: str | None, resources: Resources) -> Principal:
    """As the public API reads the header: another scheme than Bearer is no credential."""
    scheme, token = get_authorization_scheme_param(authorization)
    bearer = token if scheme.lower() == "bearer" and token else None
    return await principal_for(bearer, resources, "graphql")
