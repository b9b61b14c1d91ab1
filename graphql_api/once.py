"""Mutations that are done once for each idempotency key, out of the one store that REST uses too."""

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import strawberry
from pydantic import TypeAdapter

from core.database import WriteSession
from core.errors import AppError
from core.idempotency import OnceKey
from core.web.idempotency import checked_key
from graphql_api.context import Info

T = TypeVar("T")
REPLAYED = "idempotencyReplayed"  # in the answer's extensions

_ABOUT = strawberry.argument(
    description="Of your making, 1 to 255 visible ASCII characters. Done once for each: sent again, it answers what it "
    "answered before, also what REST answered to the same key. Kept for 48 hours."
)
IdempotencyKey = Annotated[str, _ABOUT]
OptionalIdempotencyKey = Annotated[str | None, _ABOUT]


async def run_once(
    info: Info,
    key: str | None,
    command: object,
    action: Callable[[WriteSession], Awaitable[T]],
    result: TypeAdapter[T],
    *,
    secret: bool = False,
    principal: str | None = None,
) -> T:
    """As `core.idempotency.Idempotency.run`, in one write transaction; a field that is replayed is named in the
    answer's extensions. `principal` is whose key it is where the caller is anonymous.

    Raises InvalidIdempotencyKey too. The command, its principal and the result must be those of the endpoint that does
    the same on REST, or a key would not be known there.
    """
    context = info.context
    once = OnceKey(principal or context.principal.name, checked_key(key)) if key is not None else None
    try:
        answer = await context.resources.idempotency.run(once, command, action, result, secret=secret)
    except AppError as error:
        if error.replayed:
            context.replayed.append(str(info.path.key))
        raise
    if answer.replayed:
        context.replayed.append(str(info.path.key))
    return answer.value
