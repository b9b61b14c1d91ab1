"""`make llm`: a real model behind a real server, asked through our client; prints what was seen, and exits with 1 where
that is not as it should be. The model is small: what it says is never looked at, only how it comes and how it ends.
"""

import asyncio
import logging
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress

import structlog

from benchmarks.harness.install import NotInstalled
from benchmarks.harness.limits import at_most_seconds, end_in_order
from core.inference.chat import (
    AssistantMessage,
    Began,
    Ended,
    ModelFailed,
    ModelRejected,
    ModelTimeout,
    ModelUnavailable,
    Piece,
    SystemMessage,
    Text,
    Tool,
    ToolMessage,
    UserMessage,
)
from core.inference.fallback import FallbackChat
from core.inference.openai import OpenAIChat, Server
from core.upstream.client import open_http
from tests.factories.chat import SCRIPTED, ScriptedModel, a_call
from tests.llm.server import ModelServer, a_model_server
from tests.llm.shop import assistant, cancelled_run

_MOST_SECONDS = 300
_LONG = (UserMessage("Tell me a very long story about a mountain."),)
_SHORT = (SystemMessage("You are brief."), UserMessage("Say hello."))
_SEARCH = Tool("search", "Finds products.", {"type": "object", "properties": {"q": {"type": "string"}}})

Check = Callable[[OpenAIChat, ModelServer], Awaitable[str]]  # what was seen; AssertionError and ModelFailed say no


def _in(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


async def protocol(model: OpenAIChat, _server: ModelServer) -> str:
    pieces = [piece async for piece in model.stream(_SHORT, (), deadline=_in(60), most_tokens=30)]
    began, *said, ended = pieces
    assert isinstance(began, Began)
    assert began.provenance.model == "smollm2", "the only model of the server is found"
    assert said, "it says something"
    assert all(isinstance(piece, Text) for piece in said)
    assert isinstance(ended, Ended)
    assert not ended.usage.estimated, "the server counts"
    return f"{ended.usage.prompt} + {ended.usage.completion} tokens, {ended.reason}"


async def streaming(model: OpenAIChat, _server: ModelServer) -> str:
    began = time.perf_counter()
    pieces = model.stream(_LONG, (), deadline=_in(60), most_tokens=60)
    times = [time.perf_counter() - began async for piece in pieces if isinstance(piece, Text)]
    assert len(times) > 20, "one piece for each token, more or less"
    return f"{len(times)} pieces, the first after {times[0]:.2f} s, the last after {times[-1]:.2f} s"


async def length(model: OpenAIChat, _server: ModelServer) -> str:
    ended = [piece async for piece in model.stream(_LONG, (), deadline=_in(60), most_tokens=5)][-1]
    assert isinstance(ended, Ended)
    assert (ended.reason, ended.usage.completion) == ("length", 5)
    return "cut at 5 tokens"


async def tools(model: OpenAIChat, _server: ModelServer) -> str:
    asked = AssistantMessage("", (a_call("search", q="jacket"),))
    messages = (*_SHORT, asked, ToolMessage("call_1", '{"items": []}'))
    ended = [piece async for piece in model.stream(messages, [_SEARCH], deadline=_in(60), most_tokens=10)][-1]
    assert isinstance(ended, Ended)
    return "declarations, calls and their answers are taken"


async def too_long(model: OpenAIChat, _server: ModelServer) -> str:
    with suppress(ModelRejected):
        pieces = [piece async for piece in model.stream([UserMessage("word " * 5000)], (), deadline=_in(60))]
        raise AssertionError(f"it was taken: {pieces[-1]}")
    return "5,000 words are refused"


async def cancelling(model: OpenAIChat, server: ModelServer) -> str:
    said = asyncio.Event()

    async def consume() -> None:
        async for piece in model.stream(_LONG, (), deadline=_in(120), most_tokens=1500):
            if isinstance(piece, Text):
                said.set()

    task = asyncio.create_task(consume())
    await said.wait()
    began = time.perf_counter()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return await _free_within_a_second(server, began)


async def closing(model: OpenAIChat, server: ModelServer) -> str:
    async with aclosing(model.stream(_LONG, (), deadline=_in(120), most_tokens=1500)) as pieces:
        async for piece in pieces:
            if isinstance(piece, Text):
                break
        began = time.perf_counter()
    return await _free_within_a_second(server, began)


async def deadline(model: OpenAIChat, server: ModelServer) -> str:
    said: list[Piece] = []
    began = time.perf_counter()
    with suppress(ModelTimeout):
        async for piece in model.stream(_LONG, (), deadline=_in(2), most_tokens=1500):
            said.append(piece)  # noqa: PERF401  what came before the failure is kept
        raise AssertionError("it came to its end")
    took = time.perf_counter() - began
    assert len(said) > 1, "what came before stays said"
    return f"after {took:.2f} s of 2; {await _free_within_a_second(server, time.perf_counter())}"


async def away(model: OpenAIChat, server: ModelServer) -> str:
    """The last: the server is not there any more."""
    server.end()
    with suppress(ModelUnavailable):
        raise AssertionError([piece async for piece in model.stream(_SHORT, (), deadline=_in(10))])
    second = FallbackChat(model, ScriptedModel(["Simple."]))
    began, *_ = [piece async for piece in second.stream(_SHORT, (), deadline=_in(10))]
    assert isinstance(began, Began)
    assert (began.provenance.model, began.provenance.fallback_reason) == (SCRIPTED.model, "model_unavailable")
    return "unavailable; the second answers, and says why"


async def _free_within_a_second(server: ModelServer, began: float) -> str:
    async with asyncio.timeout(1):
        await server.idle()
    return f"the server was free {(time.perf_counter() - began) * 1000:.0f} ms later"


CHECKS: tuple[Check, ...] = (
    protocol,
    streaming,
    length,
    tools,
    too_long,
    cancelling,
    closing,
    deadline,
    assistant,
    cancelled_run,
    away,
)


async def run(server: ModelServer) -> int:
    failed = 0
    async with open_http(allow_private=True) as http:
        model = OpenAIChat(Server(server.url), http)
        _say("doctor", True, await model.check())
        for check in CHECKS:
            try:
                _say(check.__name__, True, await check(model, server))
            except (AssertionError, ModelFailed, TimeoutError) as error:
                failed += 1
                _say(check.__name__, False, f"{type(error).__name__}: {error}")
    return failed


def _say(name: str, ok: bool, told: str) -> None:
    sys.stdout.write(f"{'ok  ' if ok else 'FAIL'}  {name.replace('_', ' '):<12} {told}\n")
    sys.stdout.flush()


def main() -> int:
    end_in_order()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))  # failures are the point
    try:
        with at_most_seconds(_MOST_SECONDS), a_model_server() as server:
            return int(asyncio.run(run(server)) > 0)
    except NotInstalled as error:
        sys.stderr.write(f"the model cannot be fetched: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
