"""When a simpler model answers, and what the answer says of it."""

import asyncio

import pytest
from prometheus_client import REGISTRY

from core.errors import AppError
from core.inference.chat import (
    Began,
    ModelMalformed,
    ModelRejected,
    ModelTimeout,
    ModelUnavailable,
    SystemMessage,
    Text,
    Tool,
)
from core.inference.fallback import FallbackChat
from core.inference.provenance import Provenance
from tests.core.inference.conftest import HI, Case, ask, refusal
from tests.factories.carriers import replying
from tests.factories.chat import ScriptedModel
from tests.fixtures.application import LogEntries

BUILT_IN = Provenance("built-in", "3", "sha256:" + "1" * 64)


def simple() -> ScriptedModel:
    return ScriptedModel(["Simple."], provenance=BUILT_IN)


def fallbacks(reason: str) -> float:
    return REGISTRY.get_sample_value("portico_model_fallbacks_total", {"reason": reason}) or 0.0


async def test_model_that_answers_is_not_replaced() -> None:
    second = simple()

    began, said, _ = await ask(FallbackChat(ScriptedModel(["Good."]), second))

    assert isinstance(began, Began)
    assert (began.provenance.model, began.provenance.fallback) == ("scripted", False)
    assert said == Text("Good.")
    assert second.asked == []


@pytest.mark.parametrize("failure", [ModelUnavailable(), ModelTimeout(), ModelRejected(), ModelMalformed()])
async def test_second_answers_the_same_question_and_says_why(failure: AppError, log_entries: LogEntries) -> None:
    first, second = ScriptedModel([failure]), simple()
    before = fallbacks(failure.code)
    messages, tools = (SystemMessage("Be brief."), *HI), (Tool("search", "Finds.", {"type": "object"}),)

    began, said, _ = await ask(FallbackChat(first, second), messages, tools)

    assert isinstance(began, Began)
    assert began.provenance.fallback
    assert (began.provenance.model, began.provenance.fallback_reason) == ("built-in", failure.code)
    assert said == Text("Simple.")
    assert second.asked == first.asked
    assert (second.asked[0].messages, second.asked[0].tools) == (messages, tools)
    assert fallbacks(failure.code) == before + 1
    (entry,) = [entry for entry in log_entries if entry["event"] == "model_fallback"]
    assert entry["reason"] == failure.code


async def test_what_fails_midway_is_not_said_by_another() -> None:
    second = simple()

    failure, said = await refusal(FallbackChat(ScriptedModel(["Goo", ModelUnavailable()]), second))

    assert type(failure) is ModelUnavailable
    assert said[1:] == [Text("Goo")]
    assert second.asked == []


async def test_second_that_fails_too_says_so_itself() -> None:
    failure, _ = await refusal(FallbackChat(ScriptedModel([ModelUnavailable()]), ScriptedModel([ModelMalformed()])))

    assert type(failure) is ModelMalformed


async def test_bug_of_the_first_is_no_reason() -> None:
    second = simple()

    with pytest.raises(AppError) as raised:
        await ask(FallbackChat(ScriptedModel([AppError("a bug")]), second))

    assert type(raised.value) is AppError
    assert second.asked == []


async def test_silent_server_leaves_the_second_half_of_the_time(case: Case) -> None:
    case.server.script = [case.server.holding]

    began, said, _ = await ask(FallbackChat(case.model, simple()), within=3)

    assert isinstance(began, Began)
    assert began.provenance.fallback_reason == "model_timeout"
    assert said == Text("Simple.")
    await case.server.left.wait()


async def test_server_that_is_left_alone_is_replaced_without_being_asked(case: Case) -> None:
    case.server.script = [replying(b"", 500)]
    model = FallbackChat(case.model, simple())

    answers = [await ask(model) for _ in range(6)]

    assert [pieces[1] for pieces in answers] == [Text("Simple.")] * 6
    assert case.counted() == {"failed": 5, "paused": 2}
    assert len(case.server.asked) == 5


async def test_who_leaves_the_first_does_not_ask_the_second() -> None:
    first, second = ScriptedModel([asyncio.Event()]), simple()
    task = asyncio.create_task(ask(FallbackChat(first, second)))
    await first.reached.wait()

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert first.left.is_set()
    assert second.asked == []
