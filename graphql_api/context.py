"""What resolvers see: the process's resources, who calls, and the loaders of this one operation."""

from collections.abc import Hashable
from copy import copy
from dataclasses import dataclass
from typing import TypeAlias

import strawberry
from fastapi.security.utils import get_authorization_scheme_param
from graphql import GraphQLError
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket
from strawberry.fastapi import BaseContext

from commerce.accounts.authentication import principal_for
from commerce.accounts.principal import ANONYMOUS, Principal
from commerce.accounts.throttling import caller_of
from commerce.operations.registry import OperationRegistry
from commerce.recommendations.entities import Similar
from commerce.semantics.likes import LikeInMeaning
from commerce.usage.entities import Kind
from core.budget import READ_POINTS
from core.context import current_client
from core.errors import Unauthenticated
from core.ratelimit import Verdict
from core.resources import Resources
from core.web.dependencies import BroadcastDep, ClientAddressDep, ResourcesDep
from core.web.middleware.quota import spend
from core.web.response_cache import counted
from graphql_api.executing import Executing
from graphql_api.loaders import Loaders
from graphql_api.streams import Line


@dataclass(frozen=True, slots=True)
class Asked:
    """The document of an operation: the hash of its text, and whether the client has registered it."""

    sha256: str
    name: str | None
    registered: bool


@dataclass(frozen=True, slots=True)
class Admission:
    """Of an operation: it may run where there are no faults, and its points are spent then. `points` is None where
    they were not counted.
    """

    faults: list[GraphQLError]
    points: int | None = None


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
        registry: OperationRegistry,
        executing: Executing,
        similar: Similar,
        authorization: str | None,
        address: str,
    ) -> None:
        super().__init__()
        self.resources = resources
        self.principal = principal
        self.line = line
        self.registry = registry
        self.executing = executing
        self.similar = similar
        self.operation: Asked | None = None  # until it is known what is asked
        self.admission: Admission | None = None  # until it is known whether that may run
        self.authorization = authorization  # the header, or what stands for it on a WebSocket
        self.address = address
        self._loaders: Loaders | None = None
        self.columns: dict[tuple[Hashable, ...], frozenset[str]] = {}  # as graphql_api.selection has found them
        self.replayed: list[str] = []  # the names, in the answer, of the fields that an idempotency key has replayed

    def for_operation(self) -> "Context":
        """With nothing that another operation has done. What others have loaded `renew_principal` forgets, on a
        WebSocket: elsewhere there are no others.
        """
        fresh = copy(self)
        fresh.columns, fresh.replayed = {}, []
        return fresh

    @property
    def loaders(self) -> Loaders:
        """Made when they are first asked for: not every operation has use for them."""
        if self._loaders is None:
            self._loaders = Loaders(self.resources.database, self.principal, self.executing.slices)
        return self._loaders

    async def renew_principal(self) -> None:
        """A WebSocket outlives its token, or its user's rights: each operation asks again. Raises Unauthenticated."""
        if isinstance(self.request, WebSocket):
            self.principal = await principal_of(self.authorization, self.resources, self.address)
            self.forget()

    async def begin(self) -> None:
        """Spends the one point that every operation costs at least; HTTP has spent it at the door. Raises
        QuotaExceeded.
        """
        if isinstance(self.request, WebSocket):
            await self.spend(READ_POINTS)

    def note(self, kind: Kind, subject: str) -> None:
        """That it is used: now, and each time that the same answer is given to somebody."""
        assert self.request is not None  # noqa: S101  set by the router
        counted(self.request.scope, lambda scope: scope["state"]["uses"].note(kind, subject, current_client()))

    async def spend(self, points: int) -> None:
        """Raises QuotaExceeded."""
        assert self.request is not None  # noqa: S101  set by the router
        await spend(self.request, self.resources.budget, caller_of(self.principal, self.address), points)

    @property
    def quota(self) -> Verdict:
        """What came of the last spending."""
        assert self.request is not None  # noqa: S101  as above
        verdict: Verdict = self.request.state.quota
        return verdict

    def forget(self) -> None:
        """What was loaded: a subscription shows what is there now."""
        self._loaders = None


Info: TypeAlias = strawberry.Info[Context, None]


async def open_context(
    connection: HTTPConnection, resources: ResourcesDep, address: ClientAddressDep, broadcast: BroadcastDep
) -> Context:
    """Raises Unauthenticated and QuotaExceeded before anything is parsed, or a WebSocket accepted."""
    authorization = connection.headers.get("authorization")
    try:
        principal = await principal_of(authorization, resources, address)
    except Unauthenticated:
        await spend(connection, resources.budget, caller_of(ANONYMOUS, address), READ_POINTS)
        raise
    await spend(connection, resources.budget, caller_of(principal, address), READ_POINTS)
    line = Line(broadcast, connection.state.watch)
    state = connection.state
    return Context(
        resources,
        principal,
        line,
        registry=state.operations,
        executing=state.executing,
        similar=LikeInMeaning(state.semantics),
        authorization=authorization,
        address=address,
    )


async def principal_of(authorization: str | None, resources: Resources, address: str) -> Principal:
    """As the public API reads the header: another scheme than Bearer is no credential."""
    scheme, token = get_authorization_scheme_param(authorization)
    bearer = token if scheme.lower() == "bearer" and token else None
    return await principal_for(bearer, resources, "graphql", address)
