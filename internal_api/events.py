"""How far those who read the event log are behind it."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field

from commerce.webhooks.repository import WebhookRepository
from core.eventlog import EventLog
from core.web.dependencies import ReadSessionDep, ResourcesDep, TailerDep

router = APIRouter()


class Reader(BaseModel):
    position: int | None = Field(description="Of the last event that it has read; null before its first look.")
    events: int = Field(description="How many it has not read.")
    seconds: float = Field(description="How old the first of them is.")


class Lag(BaseModel):
    newest: int = Field(description="The position of the newest event; 0 where there was none.")
    tailer: Reader = Field(description="Of the process that answers.")
    webhooks: Reader = Field(description="Of all: up to it, events have been turned into deliveries.")


@router.get("/events/lag", summary="Show how far readers of the event log are behind")
async def show_event_lag(session: ReadSessionDep, resources: ResourcesDep, tailer: TailerDep) -> Lag:
    log, now = EventLog(session), resources.clock.now()
    read = tailer.position  # before the log, or it could be ahead of it
    webhooks = await WebhookRepository(session).cursor()
    return Lag(
        newest=await log.newest(), tailer=await _reader(log, read, now), webhooks=await _reader(log, webhooks, now)
    )


async def _reader(log: EventLog, position: int | None, now: datetime) -> Reader:
    if position is None:
        return Reader(position=None, events=0, seconds=0.0)
    events, since = await log.lag(position)
    return Reader(position=position, events=events, seconds=(now - since).total_seconds() if since else 0.0)
