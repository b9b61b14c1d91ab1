"""REST of the event log."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Depends, Query, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from commerce.accounts.principal import Principal
from commerce.events.envelope import CloudEvent, EventType, cloud_event, event_source
from commerce.events.visibility import visible_to
from core.eventlog import MAX_LIMIT, CursorTooOld, EventLog
from core.pagination import InvalidCursor
from core.web.dependencies import ReadSessionDep, SettingsDep
from public_api.auth import RequireScope
from public_api.errors import problems
from public_api.routing import public_router

router = public_router(tags=["Events"])
EventReader = Annotated[Principal, Depends(RequireScope("events:read"))]


def _separated(values: Sequence[str]) -> list[str]:
    return [name for value in values for name in value.split(",")]


class Narrowed(BaseModel):
    model_config = ConfigDict(extra="forbid")

    after: Annotated[str | None, Field(description="The id of the last event that you have seen.")] = None
    types: Annotated[
        list[EventType], BeforeValidator(_separated), Field(description="Only these; repeated, or with commas between.")
    ] = []


class EventQuery(Narrowed):
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT)] = 100


class EventPage(BaseModel):
    items: list[CloudEvent]
    next: str | None = Field(description="`after` of the next page; null when there is no more now.")


@router.get(
    "/events", response_model=EventPage, summary="Read the event log", responses=problems(InvalidCursor, CursorTooOld)
)
async def list_events(
    response: Response,
    query: Annotated[EventQuery, Query()],
    principal: EventReader,
    session: ReadSessionDep,
    settings: SettingsDep,
) -> EventPage:
    """What happened, oldest first, of what you may see. Remember the id of the last event and ask again with `after`:
    nothing is left out and nothing comes twice. Events of orders need `orders:read` too, those of reports
    `reports:read`, and for a key those of support rooms `support:write`. Events are kept for 30 days; a cursor from
    before them is answered 410 with the code `reset`.
    """
    found, more = await EventLog(session).after(
        query.after, visible=visible_to(principal), types=set(query.types), limit=query.limit
    )
    source = event_source(settings)
    response.headers["Cache-Control"] = "private, no-store"
    items = [cloud_event(event, source) for event in found]
    return EventPage(items=items, next=items[-1].id if more else None)
