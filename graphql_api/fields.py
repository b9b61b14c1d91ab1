"""Typed seams to Strawberry, where a field declares what it reads of the row behind its object.

A type that is read from the database holds the entity in `row`; of its fields, `row` has those that the operation reads
(`graphql_api.selection`). A field that reads what it did not declare fails with AttributeError.
"""

from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any, TypeVar, cast

import strawberry
from strawberry.types.field import StrawberryField

F = TypeVar("F", bound=Callable[..., Any])
_READS = "reads"


class _Column(StrawberryField):
    """Not set when the object is made: it is there in the row, or it was not read."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.init = self.repr = self.compare = False

    def get_result(self, source: Any, *_: Any, **__: Any) -> Any:
        return getattr(source.row, self.python_name)


def column(description: str, *, reads: tuple[str, ...] = ()) -> Any:
    """A field that shows what the row has under the same name. `reads`: the fields of the entity that this is made of,
    where it is not one of them itself.
    """
    return _Column(description=description, metadata={_READS: reads})


def field(description: str, *directives: object, reads: tuple[str, ...] = ()) -> Callable[[F], F]:
    """`strawberry.field` for resolvers; its own type is Any, which would leave them unchecked. `reads`: the fields of
    the entity in `row` that the resolver uses.
    """
    made = strawberry.field(description=description, directives=directives, metadata={_READS: reads})
    return cast("Callable[[F], F]", made)


def subscription(description: str) -> Callable[[F], F]:
    """`strawberry.subscription`, the same. A resolver that returns a generator, and is none, can refuse before there is
    a stream.
    """
    return cast("Callable[[F], F]", strawberry.subscription(description=description))


def plain(value: Any) -> Any:
    """As the domain has it: of an enum its value."""
    return value.value if isinstance(value, Enum) else value


def reads_of(declared: StrawberryField) -> Iterable[str]:
    """The fields of the entity that the field uses."""
    reads: tuple[str, ...] = declared.metadata.get(_READS, ())
    return reads or ((declared.python_name,) if isinstance(declared, _Column) else ())
