"""Why a mutation did nothing, as a typed member of its result.

What the domain refuses is one: what was sent, the state of things, whose they are, an idempotency key. Who calls and
with which scopes, how often, and what fails on our side stay errors of the operation.
"""

from collections.abc import Callable
from typing import Any

import strawberry

from core.errors import AppError, Conflict, Denied, Invalid, NotFound
from core.web.idempotency import InvalidIdempotencyKey
from graphql_api.cost_directives import sized

REFUSALS = (Conflict, Denied, Invalid, NotFound, InvalidIdempotencyKey)
# Where the domain's places of a fault are in the arguments of a mutation; others are in its `input`, if it has one.
_PLACES = {"/header/Idempotency-Key": "/idempotencyKey", "/path/room": "/room"}


@strawberry.type(description="One fault of what was sent.")
class FieldFault:
    pointer: str = strawberry.field(
        description="Where: a JSON Pointer into the mutation's arguments, such as `/input/lines/0/quantity`."
    )
    code: str = strawberry.field(description="What kind of fault, as on REST.")
    message: str = strawberry.field(description="For people.")


@strawberry.interface(description="Why a mutation did nothing. Nothing was changed.")
class UserError:
    code: str = strawberry.field(
        description="For programs: the same as REST's, explained at `/public/problems/{code}`."
    )
    message: str = strawberry.field(description="For people.")
    retryable: bool = strawberry.field(description="Whether the same may succeed a moment later.")
    errors: list[FieldFault] = strawberry.field(
        description="Each fault with its place; empty where it has none.", directives=[sized(5)]
    )


@strawberry.type(description="A refusal that has no type of its own; its `code` says which.")
class Refused(UserError):
    pass


def place_in_input(pointer: str) -> str:
    return _PLACES.get(pointer) or f"/input{_camelled(pointer)}"


def place_in_arguments(pointer: str) -> str:
    """Of a mutation without an `input`."""
    return _PLACES.get(pointer) or _camelled(pointer)


def told(error: AppError, place_of: Callable[[str], str] = place_in_input) -> dict[str, Any]:
    """The fields that every UserError has; `place_of` says where in the arguments a pointer of the domain is."""
    return {
        "code": error.code,
        "message": error.detail,
        "retryable": error.retryable,
        "errors": [FieldFault(pointer=place_of(f.pointer), code=f.code, message=f.message) for f in error.errors],
    }


def _camelled(pointer: str) -> str:
    return "/".join(map(_camel, pointer.split("/")))


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
