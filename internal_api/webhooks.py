"""Everybody's webhook endpoints: their state, what waits for them, and how they fail."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from commerce.webhooks.entities import Endpoint, EndpointState, Queue
from commerce.webhooks.repository import WebhookRepository
from core.web.dependencies import ReadSessionDep, ResourcesDep

router = APIRouter()


class EndpointHealth(BaseModel):
    id: str
    user_id: str | None = Field(description="null: the shop's own.")
    url: str
    description: str
    types: list[str]
    state: EndpointState
    reason: str | None
    failures: int = Field(description="Failed attempts in a row.")
    paused_until: datetime | None = Field(description="The breaker: one delivery is tried then.")
    last_success_at: datetime | None
    queued: int = Field(description="Deliveries that are not over.")
    oldest_seconds: float = Field(description="How long the first of them has been waiting.")


class EndpointHealthSlice(BaseModel):
    items: list[EndpointHealth]
    next: str | None = Field(description="The cursor of the next page; null on the last.")


class WebhookQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=100)] = 50
    after: Annotated[str | None, Field(max_length=2000, description="`next` of the page before.")] = None


@router.get("/webhooks", summary="List webhook endpoints")
async def list_webhooks(
    query: Annotated[WebhookQuery, Query()], session: ReadSessionDep, resources: ResourcesDep
) -> EndpointHealthSlice:
    """Newest first."""
    webhooks = WebhookRepository(session)
    found = await webhooks.endpoints(None, limit=query.limit, after=query.after)
    queues = await webhooks.queues([each.id for each in found.items])
    now = resources.clock.now()
    return EndpointHealthSlice(
        items=[_health(each, queues[each.id], now) for each in found.items], next=found.next_cursor
    )


def _health(endpoint: Endpoint, queue: Queue, now: datetime) -> EndpointHealth:
    return EndpointHealth(
        id=endpoint.id,
        user_id=endpoint.user_id,
        url=endpoint.url,
        description=endpoint.description,
        types=list(endpoint.types),
        state=endpoint.state,
        reason=endpoint.reason,
        failures=endpoint.failures,
        paused_until=endpoint.paused_until,
        last_success_at=endpoint.last_success_at,
        queued=queue.open,
        oldest_seconds=(now - queue.oldest_at).total_seconds() if queue.oldest_at is not None else 0.0,
    )
