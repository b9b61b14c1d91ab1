"""What subscriptions to the event log share: their cursor, the fields of each update, and the way to their events."""

from collections.abc import AsyncGenerator, Callable
from datetime import datetime
from typing import Annotated, Self, TypeVar

import strawberry

from commerce.events.feed import EventFeed
from commerce.events.filter import EventFilter
from core.eventlog import Event
from graphql_api.context import Info
from graphql_api.streams import follow

T = TypeVar("T")
Cursor = Annotated[
    str | None,
    strawberry.argument(
        description="The `id` of the last update that you have, or of any event that REST or a webhook told you: what "
        "came after it comes first. null: from now on. Too old: an error with the code `reset`."
    ),
]


@strawberry.interface(description="Something that happened. Updates come in the order of the event log, each once.")
class Update:
    id: strawberry.ID = strawberry.field(description="The event's, `evt_...`: the `after` to go on with.")
    type: str = strawberry.field(description="The event's type, as on REST, such as `order.paid`.")
    time: datetime = strawberry.field(description="When it happened.")
    subject: strawberry.Private[str]

    @classmethod
    def of(cls, event: Event) -> Self:
        return cls(id=strawberry.ID(event.id), type=event.type, time=event.time, subject=event.subject)


async def updates(
    info: Info, wanted: EventFilter, after: str | None, make: Callable[[Event], T]
) -> AsyncGenerator[T, None]:
    """What is made of each event. Raises InvalidCursor, CursorTooOld."""
    context = info.context
    feed = EventFeed(context.resources.database, context.line.broadcast, wanted, kind="graphql", after=after)
    return await follow(context.line, feed, context.forget, make)
