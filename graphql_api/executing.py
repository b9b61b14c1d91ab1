"""GraphQL's executor, which is synchronous where nothing is awaited: kept from holding up the event loop for long.

Lists are completed in slices, whatever operation they are of; and while the loop lags, one operation runs at a time.
"""

from collections.abc import AsyncIterator, Awaitable, Iterable, Sequence
from typing import Any, TypeVar

from graphql import is_leaf_type
from graphql.type import get_named_type
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from core.bulkheads import Bulkhead, Capacity
from core.loop_lag import LoopLag
from core.right_of_way import RightOfWay
from core.slices import Slices
from graphql_api.loaders import Hold

T = TypeVar("T")
_AT_ONCE = 1_000  # more than the doors let in, but for what sockets carry
_LARGE_AT_ONCE = 1
_LARGE_POINTS = 100  # more is a page of lists: a thousand objects and ten thousand of the executor's own
_CHARACTERS = 1_500  # of a body that take what an object takes: to write, to pack and to send


def is_small(points: int | None) -> bool:
    """Of an operation: nobody need count what it makes while it executes. Urgent among `Turns`."""
    return points is None or points <= _LARGE_POINTS


class Turns(Bulkhead):
    """Per process: who may execute. One at a time while the loop lags; of large ones one at any time, for the objects
    that all of them hold are what a full garbage collection looks through, and nobody runs meanwhile.
    """

    def __init__(self, lag: LoopLag, patience_seconds: float) -> None:
        reserved = _AT_ONCE - _LARGE_AT_ONCE
        super().__init__("graphql_executor", Capacity(_AT_ONCE, _AT_ONCE, patience_seconds, reserved))
        self._lag = lag

    def has_place(self, urgent: bool) -> bool:
        return super().has_place(urgent) and not (self.running and self._lag.lags)


class Executing:
    """Per process."""

    def __init__(self, lag: LoopLag, patience_seconds: float, way: RightOfWay | None = None) -> None:
        self.turns = Turns(lag, patience_seconds)
        self.slices = Slices(way=way)

    async def body(self, characters: int | None = None) -> None:
        """Waits for a slice to make an answer's body in; where nobody knows how long it is, for a whole one."""
        most = self.slices.items
        await self.slices.turn(most if characters is None else min(most, 1 + characters // _CHARACTERS))


async def each_in_turn(items: Sequence[T], slices: Slices, hold: Hold) -> AsyncIterator[T]:
    with hold:
        for item in items:
            if not slices.take():
                await slices.turn()
            yield item


class SlicedExecution(StrawberryGraphQLCoreExecutionContext):
    """Completes each list of objects when a slice has room for it; one that no slice has room for item by item."""

    def complete_iterable_value(
        self, item_type: Any, field_details_list: Any, info: Any, path: Any, items: Iterable[Any], position_context: Any
    ) -> Any:
        if is_leaf_type(get_named_type(item_type)):
            return super().complete_iterable_value(item_type, field_details_list, info, path, items, position_context)
        found = items if isinstance(items, list | tuple) else list(items)
        slices: Slices = self.context_value.executing.slices
        where = (item_type, field_details_list, info, path)
        if slices.take(len(found)):
            return super().complete_iterable_value(*where, found, position_context)
        hold = self.context_value.loaders.lists.hold()
        if len(found) > slices.items:
            one_by_one = each_in_turn(found, slices, hold)
            return self.complete_async_iterator_value(*where, one_by_one, position_context)
        return self._complete_later(where, found, position_context, hold)

    async def _complete_later(
        self, where: tuple[Any, Any, Any, Any], items: Sequence[Any], position: Any, hold: Hold
    ) -> list[Any]:
        with hold:
            await self.context_value.executing.slices.turn(len(items))
            completed = super().complete_iterable_value(*where, items, position)
        return await completed if isinstance(completed, Awaitable) else completed
