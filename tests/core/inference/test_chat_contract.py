"""What every chat model does, whoever runs it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager

import pytest

from core.inference.chat import (
    Began,
    ChatModel,
    Ended,
    ModelFailed,
    ModelTimeout,
    ModelUnavailable,
    Piece,
    Text,
    ToolCall,
)
from core.inference.fallback import FallbackChat
from core.inference.openai import OpenAIChat, Server
from core.upstream.client import open_http
from tests.core.inference.conftest import HI, ask, refusal
from tests.factories.carriers import Behave, replying
from tests.factories.chat import ScriptedModel, Step, a_call
from tests.factories.model_servers import MODEL, ModelServer, Part, a_model_server, call, finish, text

Left = Callable[[], Awaitable[object]]  # waits until nobody is asked any more
Open = Callable[[Sequence[Step]], AbstractAsyncContextManager[tuple[ChatModel, Left]]]


@asynccontextmanager
async def scripted(script: Sequence[Step]) -> AsyncIterator[tuple[ChatModel, Left]]:
    model = ScriptedModel(script)
    yield model, model.left.wait


@asynccontextmanager
async def behind_a_fallback(script: Sequence[Step]) -> AsyncIterator[tuple[ChatModel, Left]]:
    model = ScriptedModel(script)
    yield FallbackChat(model, ScriptedModel([ModelUnavailable()])), model.left.wait


@asynccontextmanager
async def fallen_back(script: Sequence[Step]) -> AsyncIterator[tuple[ChatModel, Left]]:
    model = ScriptedModel(script)
    yield FallbackChat(ScriptedModel([ModelUnavailable()]), model), model.left.wait


@asynccontextmanager
async def over_http(script: Sequence[Step]) -> AsyncIterator[tuple[ChatModel, Left]]:
    async with a_model_server() as server, open_http(allow_private=True) as http:
        server.script = [behaviour(server, script)]
        yield OpenAIChat(Server(server.url, None, MODEL), http), server.left.wait


def behaviour(server: ModelServer, script: Sequence[Step]) -> Behave:
    parts: list[Part] = []
    for step in script:
        match step:
            case str():
                parts.append(text(step))
            case ToolCall():
                parts.append(call(0, step.arguments_json, id=step.id, name=step.name))
            case asyncio.Event():
                return server.streaming(*parts, then="hold")
            case _:
                return server.streaming(*parts, then="cut") if parts else replying(b"", 429)
    return server.streaming(*parts, finish())


@pytest.fixture(params=[scripted, behind_a_fallback, fallen_back, over_http], ids=lambda opened: opened.__name__)
def opened(request: pytest.FixtureRequest) -> Open:
    return request.param  # type: ignore[no-any-return]


async def test_answer_begins_with_who_gives_it_and_ends_with_why(opened: Open) -> None:
    async with opened(["Hel", "lo"]) as (model, _):
        began, *said, ended = await ask(model)

    assert isinstance(began, Began)
    assert began.provenance.content_hash.startswith("sha256:")
    assert said == [Text("Hel"), Text("lo")]
    assert isinstance(ended, Ended)
    assert ended.reason == "stop"


async def test_call_of_a_tool_is_why_it_ends(opened: Open) -> None:
    wanted = a_call("search", q="jacket")
    async with opened(["Let me see.", wanted]) as (model, _):
        _, *said, ended = await ask(model)

    assert said == [Text("Let me see."), wanted]
    assert isinstance(ended, Ended)
    assert ended.reason == "tool_calls"


async def test_failure_before_the_first_piece_says_nothing(opened: Open) -> None:
    async with opened([ModelUnavailable()]) as (model, _):
        failure, said = await refusal(model)

    assert isinstance(failure, ModelUnavailable)
    assert said == []


async def test_failure_midway_comes_after_what_was_said(opened: Open) -> None:
    async with opened(["Hel", ModelUnavailable()]) as (model, _):
        failure, said = await refusal(model)

    assert isinstance(failure, ModelFailed)
    assert said[1:] == [Text("Hel")]


async def test_closing_it_ends_the_work(opened: Open) -> None:
    async with opened(["Hel", asyncio.Event()]) as (model, left):
        async with aclosing(model.stream(HI, (), deadline=asyncio.get_running_loop().time() + 60)) as pieces:
            said: list[Piece] = [await anext(pieces), await anext(pieces)]

        await left()

    assert said[1] == Text("Hel")


async def test_cancelling_who_waits_ends_the_work(opened: Open) -> None:
    said = asyncio.Event()

    async def consume(model: ChatModel) -> None:
        async with aclosing(model.stream(HI, (), deadline=asyncio.get_running_loop().time() + 60)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Text):
                    said.set()

    async with opened(["Hel", asyncio.Event()]) as (model, left):
        task = asyncio.create_task(consume(model))
        await said.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        await left()


async def test_deadline_is_for_the_whole_answer(opened: Open) -> None:
    async with opened(["Hel", asyncio.Event()]) as (model, _):
        failure, said = await refusal(model, within=1)

    assert isinstance(failure, ModelTimeout)
    assert said[1:] == [Text("Hel")]


async def test_two_answers_at_once_are_apart(opened: Open) -> None:
    async with opened(["Hel", "lo"]) as (model, _):
        one, other = await asyncio.gather(ask(model), ask(model))

    assert one == other
    assert one[1:3] == [Text("Hel"), Text("lo")]
