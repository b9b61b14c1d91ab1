"""Commands under an Idempotency-Key: what endpoints that write ask for."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Response
from pydantic import TypeAdapter

from core.database import WriteSession
from core.idempotency import OnceKey
from core.resources import Resources
from core.web.dependencies import ResourcesDep
from core.web.idempotency import IdempotencyKeyRequired, get_idempotency_key
from public_api.auth import PrincipalDep

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Once:
    """Per request: its key, whose it is, and where to say that an answer is replayed."""

    resources: Resources
    response: Response
    principal: str
    key: str | None

    async def run(
        self,
        command: object,
        action: Callable[[WriteSession], Awaitable[T]],
        result: TypeAdapter[T],
        *,
        secret: bool = False,
        principal: str | None = None,
    ) -> T:
        """As `core.idempotency.Idempotency.run`; `principal` is whose key it is where the caller is anonymous."""
        once = OnceKey(principal or self.principal, self.key) if self.key is not None else None
        answer = await self.resources.idempotency.run(once, command, action, result, secret=secret)
        if answer.replayed:
            self.response.headers["Idempotency-Replayed"] = "true"
        return answer.value


async def get_once(
    resources: ResourcesDep,
    response: Response,
    principal: PrincipalDep,
    key: Annotated[str | None, Depends(get_idempotency_key)],
) -> Once:
    return Once(resources, response, principal.name, key)


OnceDep = Annotated[Once, Depends(get_once)]


async def require_once(once: OnceDep) -> Once:
    if once.key is None:
        raise IdempotencyKeyRequired
    return once


RequiredOnceDep = Annotated[Once, Depends(require_once)]
