"""Relay connections (relay.dev/graphql/connections.htm), forward only: a cursor is what REST v2 calls `next`."""

from collections.abc import Sequence
from typing import Annotated, Generic, TypeVar

import strawberry

from core.errors import Invalid
from core.pagination import MAX_SIZE

T = TypeVar("T")
DEFAULT_SIZE = 20
_LONGEST_CURSOR = 2000

First = Annotated[int | None, strawberry.argument(description=f"How many at most: 1 to {MAX_SIZE}.")]
After = Annotated[str | None, strawberry.argument(description="A cursor: the list goes on behind it.")]


@strawberry.type(description="Where a page stands in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether more follow.")
    has_previous_page: bool = strawberry.field(description="Whether the page begins behind a cursor.")
    start_cursor: str | None = strawberry.field(description="Of the first edge; null on an empty page.")
    end_cursor: str | None = strawberry.field(description="Of the last edge: `after` of the next page.")


@strawberry.type(description="An item and its place in the list.")
class Edge(Generic[T]):
    cursor: str = strawberry.field(description="Opaque; good for this list in this order.")
    node: T = strawberry.field(description="The item.")


def check_size(size: int, argument: str = "first") -> int:
    """Raises Invalid."""
    if not 1 <= size <= MAX_SIZE:
        raise Invalid(f"{argument} is {size}; it goes from 1 to {MAX_SIZE}")
    return size


def check_page(first: int | None, after: str | None) -> int:
    """The size of the page that is asked for. Raises Invalid."""
    size = check_size(DEFAULT_SIZE if first is None else first)
    if after is not None and len(after) > _LONGEST_CURSOR:
        raise Invalid("after is longer than any cursor")
    return size


def page_info(edges: Sequence[Edge[T]], *, after: str | None, has_next: bool) -> PageInfo:
    return PageInfo(
        has_next_page=has_next,
        has_previous_page=after is not None,
        start_cursor=edges[0].cursor if edges else None,
        end_cursor=edges[-1].cursor if edges else None,
    )
