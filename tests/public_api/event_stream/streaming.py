"""A served application whose event streams are followed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx2
from fastapi import FastAPI

from core.eventlog import NewEvent, append
from core.resources import Resources
from public_api.events.stream import PLACES, Timing, get_timing
from tests.fixtures.application import key_with
from tests.fixtures.probes import applications
from tests.fixtures.sse import EventSource, Live, SentEvent, event_source, live

STREAM = "/public/v1/events/stream"
TICKETS = "/public/v1/tickets"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
SILENT = Timing(ping=3600)


class Shop:
    """A served application, and a key that may read events and nothing else."""

    def __init__(self, running: Live, client: httpx2.AsyncClient, reader: dict[str, str]) -> None:
        self.running = running
        self.client = client
        self.reader = reader
        self.resources: Resources = running.state["resources"]

    async def happens(
        self, *subjects: str, kind: str = "product.updated", owner: str | None = None, size: int = 0
    ) -> None:
        visibility, data = ("owner" if owner is not None else "everybody"), {"text": "x" * size}
        events = [NewEvent(kind, each, data, visibility, owner) for each in subjects]
        async with self.resources.database.write() as session:
            await append(session, events, NOW)

    def follow(
        self, query: str = "", headers: dict[str, str] | None = None, *, last_event_id: str = ""
    ) -> AbstractAsyncContextManager[EventSource]:
        own = self.reader if headers is None else headers
        return event_source(self.client, f"{STREAM}{query}", own, last_event_id=last_event_id)

    async def ask(self, query: str = "", headers: dict[str, str] | None = None) -> tuple[int, str, str]:
        """For what is refused: status, code, and the place of the fault."""
        response = await self.client.get(f"{STREAM}{query}", headers=self.reader if headers is None else headers)
        body = response.json()
        return response.status_code, body["code"], body.get("errors", [{"pointer": ""}])[0]["pointer"]

    async def ticket(self, headers: dict[str, str], **body: str) -> str:
        response = await self.client.post(TICKETS, headers=headers, json=body)
        assert response.status_code == 201, response.text
        return str(response.json()["ticket"])

    async def has_no_stream(self) -> None:
        """Waits until every place, subscription and following is given back."""
        broadcast, watch = self.running.state["broadcast"], self.running.state["watch"]
        async with asyncio.timeout(10):
            while PLACES._taken or broadcast._subscriptions or watch._followed:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


@asynccontextmanager
async def opened(app: FastAPI, timing: Timing | None = None, **options: Any) -> AsyncIterator[Shop]:
    if timing is not None:
        applications(app)["v1"].dependency_overrides[get_timing] = lambda: timing
    async with live(app, **options) as running:
        reader = await key_with(running.state["resources"], "events:read")
        async with httpx2.AsyncClient(base_url=running.address, timeout=30) as client:
            yield Shop(running, client, reader)


def subjects(events: list[SentEvent]) -> list[str]:
    return [event.data["subject"] for event in events]


def name_of(key: dict[str, str]) -> str:
    return f"api_key:{key['Authorization'].split('_')[1]}"
