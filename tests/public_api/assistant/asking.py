"""A served shop whose assistant says what a test wrote for it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from commerce.assistant.runs import Assistant
from core.resources import Resources
from tests.factories.chat import ScriptedModel, Step
from tests.fixtures.sse import EventSource, Live, SentEvent

CHAT = "/public/v1/assistant/chat"
RUNS = "/public/v1/assistant/runs"
Headers = dict[str, str]


class Desk:
    """Asks, and reads."""

    def __init__(self, running: Live, client: httpx2.AsyncClient) -> None:
        self.running = running
        self.client = client
        self.resources: Resources = running.state["resources"]
        self.assistant: Assistant = running.state["assistant"]

    def scripted(self, *scripts: Sequence[Step]) -> ScriptedModel:
        """What answers from now on."""
        self.assistant.model = model = ScriptedModel(*scripts)
        return model

    async def ask(self, question: str, headers: Headers | None = None, **body: Any) -> httpx2.Response:
        return await self.client.post(CHAT, json=asked(question) | body, headers=headers)

    async def answer(self, question: str, headers: Headers | None = None, **body: Any) -> dict[str, Any]:
        response = await self.ask(question, headers, **body)
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    @asynccontextmanager
    async def stream(self, question: str, headers: Headers | None = None, **body: Any) -> AsyncIterator[EventSource]:
        sent = asked(question) | {"stream": True} | body
        async with self.client.stream("POST", CHAT, json=sent, headers=headers) as response:
            assert response.status_code == 200, await response.aread()
            yield EventSource(response)

    async def events(self, run_id: str, headers: Headers | None = None, **query: Any) -> dict[str, Any]:
        accepting = {"Accept": "application/json", **(headers or {})}
        response = await self.client.get(f"{RUNS}/{run_id}/events", params=query, headers=accepting)
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    async def until_ended(self, run_id: str, headers: Headers | None = None) -> dict[str, Any]:
        async with asyncio.timeout(20):
            while (found := await self.events(run_id, headers))["state"] in ("queued", "running"):  # noqa: ASYNC110  as `until`
                await asyncio.sleep(0.01)
        return found

    async def cancel(self, run_id: str, headers: Headers | None = None) -> httpx2.Response:
        return await self.client.post(f"{RUNS}/{run_id}/cancel", headers=headers)


def asked(question: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": question}]}


def run_of(response: httpx2.Response) -> str:
    return response.headers["location"].removesuffix("/events").rpartition("/")[2]


def text_of(events: Sequence[SentEvent]) -> str:
    return "".join(each.data["text"] for each in events if each.type == "token")


def said(page: dict[str, Any]) -> str:
    return "".join(each["data"]["text"] for each in page["items"] if each["type"] == "token")


def everything(response: dict[str, Any]) -> str:
    """What a client could see of it."""
    return json.dumps(response, ensure_ascii=False)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110  it tells nobody
            await asyncio.sleep(0.01)
