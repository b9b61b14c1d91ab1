"""A client of a model server, with the time that its breaker knows."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing
from typing import Any

import httpx2
import pytest
from openai import AsyncOpenAI
from prometheus_client import REGISTRY

from core.inference.chat import ChatModel, Message, ModelFailed, Piece, Tool, UserMessage
from core.inference.openai import OpenAIChat, Server
from core.upstream.client import open_http
from tests.factories.model_servers import MODEL, ModelServer, a_model_server

KEY = "sk-hunter2-is-secret"
HI: Sequence[Message] = (UserMessage("Hi"),)


class Case:
    def __init__(self, server: ModelServer, http: httpx2.AsyncClient) -> None:
        self.server = server
        self.http = http
        self.seconds = 0.0
        self.model = self.client()
        self._before = {outcome: _counted(outcome) for outcome in _OUTCOMES}

    def client(self, *, silence_seconds: float = 20, **server: Any) -> OpenAIChat:
        told = {"url": self.server.url, "key": KEY, "model": MODEL} | server
        return OpenAIChat(Server(**told), self.http, silence_seconds=silence_seconds, now=lambda: self.seconds)

    async def ask(
        self, messages: Sequence[Message] = HI, tools: Sequence[Tool] = (), *, within: float = 60
    ) -> list[Piece]:
        return await ask(self.model, messages, tools, within=within)

    async def refusal(self, messages: Sequence[Message] = HI, *, within: float = 60) -> tuple[ModelFailed, list[Piece]]:
        """How it failed, and what it had said before."""
        return await refusal(self.model, messages, within=within)

    def counted(self) -> dict[str, float]:
        """Tries by what became of them."""
        found = {outcome: _counted(outcome) - before for outcome, before in self._before.items()}
        return {outcome: value for outcome, value in found.items() if value}


AsyncOpenAI(api_key="none").chat.completions  # noqa: B018  loaded, or the first test would wait for it
_OUTCOMES = ("ok", "timeout", "failed", "broken", "refused", "paused", "cancelled")


def _counted(outcome: str) -> float:
    labels = {"upstream": "llm", "outcome": outcome}
    return REGISTRY.get_sample_value("portico_upstream_requests_total", labels) or 0.0


async def ask(
    model: ChatModel, messages: Sequence[Message] = HI, tools: Sequence[Tool] = (), *, within: float = 60
) -> list[Piece]:
    deadline = asyncio.get_running_loop().time() + within
    async with aclosing(model.stream(messages, tools, deadline=deadline)) as pieces:
        return [piece async for piece in pieces]


async def refusal(
    model: ChatModel, messages: Sequence[Message] = HI, *, within: float = 60
) -> tuple[ModelFailed, list[Piece]]:
    said: list[Piece] = []
    deadline = asyncio.get_running_loop().time() + within
    with pytest.raises(ModelFailed) as refused:  # noqa: PT012  what was said before counts
        async with aclosing(model.stream(messages, (), deadline=deadline)) as pieces:
            async for piece in pieces:
                said.append(piece)  # noqa: PERF401  what came before the failure is kept
    return refused.value, said


@pytest.fixture
async def case() -> AsyncIterator[Case]:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(a_model_server())
        http = await stack.enter_async_context(open_http(allow_private=True))
        yield Case(server, http)
