"""Typed seams to Strawberry."""

from collections.abc import Callable
from enum import Enum
from typing import Any, TypeVar, cast

import strawberry

F = TypeVar("F", bound=Callable[..., Any])


def field(description: str, *directives: object) -> Callable[[F], F]:
    """`strawberry.field` for resolvers; its own type is Any, which would leave them unchecked."""
    return cast("Callable[[F], F]", strawberry.field(description=description, directives=directives))


def subscription(description: str) -> Callable[[F], F]:
    """`strawberry.subscription`, the same. A resolver that returns a generator, and is none, can refuse before there is
    a stream.
    """
    return cast("Callable[[F], F]", strawberry.subscription(description=description))


def plain(value: Any) -> Any:
    """As the domain has it: of an enum its value."""
    return value.value if isinstance(value, Enum) else value
