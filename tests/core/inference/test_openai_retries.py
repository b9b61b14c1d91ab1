"""When a model server is asked again, and when it is left alone."""

import asyncio

import pytest

from core.inference.chat import ModelTimeout, ModelUnavailable, Text
from tests.core.inference.conftest import Case
from tests.factories.carriers import Behave, replying
from tests.factories.model_servers import HELLO, ModelServer, text


async def leaving(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Closes the connection without a word."""


def passing(server: ModelServer) -> dict[str, Behave]:
    """Failures that pass, before the first piece."""
    return {
        "500": replying(b"", 500),
        "503": replying(b"busy", 503, Retry_After="0"),
        "429 with its time": replying(b"", 429, Retry_After="0"),
        "cut": leaving,
        "cut in the stream": server.streaming(then="cut"),
        "nothing": server.streaming(),
        "an error": server.streaming(b'data: {"error": {"message": "overloaded"}}\n\n'),
    }


@pytest.mark.parametrize("how", passing(ModelServer()))
async def test_what_passes_is_tried_once_more(case: Case, how: str) -> None:
    case.server.script = [passing(case.server)[how], case.server.streaming(*HELLO)]

    pieces = await case.ask()

    assert pieces[1:3] == [Text("Hel"), Text("lo")]
    assert len(case.server.asked) == 2
    assert sum(case.counted().values()) == 2
    assert case.counted()["ok"] == 1


async def test_it_is_asked_again_only_once(case: Case) -> None:
    case.server.script = [replying(b"", 500)]

    failure, _ = await case.refusal()

    assert type(failure) is ModelUnavailable
    assert case.counted() == {"failed": 2}


async def test_time_that_it_asks_for_is_passed_on_where_it_is_too_long(case: Case) -> None:
    case.server.script = [replying(b"", 429, Retry_After="3600")]

    failure, _ = await case.refusal()

    assert (type(failure), failure.retry_after_seconds) == (ModelUnavailable, 3600)
    assert case.counted() == {"failed": 1}


async def test_time_that_it_asks_for_is_waited_for(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr("core.upstream.kept.asyncio.sleep", sleep)
    case.server.script = [replying(b"", 429, Retry_After="7"), case.server.streaming(*HELLO)]

    await case.ask()

    assert pauses == [7.0]


@pytest.mark.parametrize("told", ["Fri, 31 Dec 2027 23:59:59 GMT", "-1", "1e3", "999999", "²"])
async def test_time_that_cannot_be_read_is_none(case: Case, told: str) -> None:
    case.server.script = [replying(b"", 429, Retry_After=told.encode().decode("latin-1"))]

    failure, _ = await case.refusal()

    assert failure.retry_after_seconds is None
    assert case.counted() == {"failed": 1}


async def test_retries_are_a_share_of_the_questions(case: Case) -> None:
    case.seconds = 0
    case.server.script = [replying(b"", 500)]

    for _ in range(4):
        case.seconds += 31  # the breaker has forgotten the last
        await case.refusal()

    assert case.counted() == {"failed": 5}


async def test_failing_server_is_left_alone_and_comes_back_with_one_try(case: Case) -> None:
    case.server.script = [replying(b"", 500)]
    for _ in range(4):
        await case.refusal()
    assert case.counted() == {"failed": 5}

    failure, _ = await case.refusal()
    assert type(failure) is ModelUnavailable
    assert case.counted() == {"failed": 5, "paused": 1}
    assert len(case.server.asked) == 5

    case.seconds += 10
    released = asyncio.Event()
    case.server.script = [case.server.streaming(released, *HELLO)]
    case.server.reached.clear()
    probe = asyncio.create_task(case.ask())
    await case.server.reached.wait()
    await case.refusal()  # while the one try is under way
    released.set()

    assert (await probe)[1] == Text("Hel")
    assert (await case.ask())[1] == Text("Hel")
    assert case.counted() == {"failed": 5, "paused": 2, "ok": 2}


async def test_failures_midway_and_silence_open_the_breaker_too(case: Case) -> None:
    case.server.script = [case.server.streaming(text("Hi"), then="cut")]
    for _ in range(4):
        await case.refusal()
    case.model._silence = 1
    case.server.script = [case.server.holding]
    failure, _ = await case.refusal()
    assert type(failure) is ModelTimeout

    await case.refusal()

    assert case.counted() == {"failed": 4, "timeout": 1, "paused": 1}


async def test_who_leaves_says_nothing_of_the_server(case: Case) -> None:
    case.server.script = [case.server.holding]
    for _ in range(6):
        case.server.reached.clear()
        task = asyncio.create_task(case.ask())
        await case.server.reached.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    case.server.script = [case.server.streaming(*HELLO)]

    await case.ask()

    assert case.counted() == {"cancelled": 6, "ok": 1}


async def test_server_that_is_away_is_unavailable(case: Case) -> None:
    case.model = case.client(url="http://127.0.0.1:1/v1")

    failure, _ = await case.refusal()

    assert type(failure) is ModelUnavailable
    assert case.counted() == {"failed": 2}
