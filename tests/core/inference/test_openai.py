"""A model server over real sockets: what it says, what it is sent, and how it may fail."""

import json
import logging
from typing import Any

import pytest
from prometheus_client import REGISTRY
from pydantic import AnyHttpUrl

from core.context import RequestContext, enter_request, leave_request
from core.inference.chat import (
    Began,
    Ended,
    ModelMalformed,
    ModelRejected,
    ModelUnavailable,
    Text,
    Tool,
    ToolCall,
    Usage,
    UserMessage,
)
from core.inference.completions import body_of
from core.settings import ServerSettings, Settings
from core.tracing import led_by, open_tracing
from tests.core.inference.conftest import HI, KEY, Case
from tests.factories.carriers import Behave, replying
from tests.factories.model_servers import MODEL, ModelServer, call, chunk, finish, text, usage
from tests.fixtures.application import LogEntries
from tests.fixtures.collector import collecting

SEARCH = Tool("search", "Finds products.", {"type": "object", "properties": {"q": {"type": "string"}}})


async def test_answer_comes_in_pieces_with_who_gives_it_first_and_what_it_took_last(case: Case) -> None:
    pieces = await case.ask()

    began, *rest = pieces
    assert isinstance(began, Began)
    assert (began.provenance.model, began.provenance.version) == (MODEL, MODEL)
    assert began.provenance.content_hash == case.model.provenance.content_hash
    assert not began.provenance.fallback
    assert rest == [Text("Hel"), Text("lo"), Ended("stop", Usage(5, 7))]
    assert case.counted() == {"ok": 1}


async def test_version_is_what_the_server_says_that_it_runs(case: Case) -> None:
    dated = chunk({"content": "a"}, model="small-1-2026-11-01")
    case.server.script = [case.server.streaming(dated, finish())]

    began = (await case.ask())[0]

    assert isinstance(began, Began)
    assert (began.provenance.model, began.provenance.version) == (MODEL, "small-1-2026-11-01")


async def test_question_is_sent_with_its_bound_and_nothing_else(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    logging.getLogger("openai").setLevel(logging.DEBUG)  # as OPENAI_LOG does
    for name, value in {
        "OPENAI_API_KEY": "sk-theirs",
        "OPENAI_ADMIN_KEY": "sk-theirs",
        "OPENAI_BASE_URL": "http://evil.invalid/v1",
        "OPENAI_ORG_ID": "org-theirs",
        "OPENAI_PROJECT_ID": "project-theirs",
        "OPENAI_CUSTOM_HEADERS": "Authorization: Bearer theirs\nX-Theirs: theirs\nAccept-Encoding: gzip",
        "HTTP_PROXY": "http://theirs.invalid:1",
        "ALL_PROXY": "http://theirs.invalid:1",
    }.items():
        monkeypatch.setenv(name, value)

    await case.ask(tools=[SEARCH])

    assert logging.getLogger("openai").level == logging.WARNING
    (headers, body) = case.server.asked[0]
    length = len(json.dumps(body, separators=(",", ":")))
    assert headers == {
        "host": f"127.0.0.1:{case.server.port}",
        "content-length": str(length),
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "accept-encoding": "identity",
        "user-agent": "Portico",
        "authorization": f"Bearer {KEY}",
    }
    assert body == body_of(HI, [SEARCH]) | {
        "model": MODEL,
        "max_tokens": 1024,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


async def test_user_and_password_of_the_address_are_sent_as_such(case: Case) -> None:
    case.model = case.client(key=None, url=case.server.url.replace("http://", "http://me:p%40ss@"))

    await case.ask()

    assert case.server.asked[0][0]["authorization"] == "Basic bWU6cEBzcw=="


async def test_server_without_a_key_is_sent_none(case: Case) -> None:
    case.model = case.client(key=None)

    await case.ask()

    assert "authorization" not in case.server.asked[0][0]


async def test_call_of_a_tool_is_put_together(case: Case) -> None:
    case.server.script = [
        case.server.streaming(
            call(0, id="a", name="search"), call(0, '{"q": "ja'), call(0, 'cket"}'), finish("tool_calls"), usage(9, 3)
        )
    ]

    pieces = await case.ask(tools=[SEARCH])

    assert pieces[1:] == [ToolCall("a", "search", '{"q": "jacket"}', {"q": "jacket"}), Ended("tool_calls", Usage(9, 3))]


async def test_call_with_bad_arguments_is_given_as_that(case: Case) -> None:
    case.server.script = [case.server.streaming(call(0, '{"q": jacket}', id="a", name="search"), finish("tool_calls"))]

    pieces = await case.ask(tools=[SEARCH])

    assert pieces[1] == ToolCall("a", "search", '{"q": jacket}', None)


@pytest.mark.parametrize("then", ["cut", "hold"])
async def test_whole_answer_is_whole_though_the_count_of_its_tokens_never_comes(case: Case, then: Any) -> None:
    case.server.script = [case.server.streaming(text("Hello"), finish(), then=then)]

    pieces = await case.ask()

    assert pieces[1:] == [Text("Hello"), Ended("stop", Usage(1, 2, estimated=True))]
    assert case.counted() == {"ok": 1}


def failures(server: ModelServer) -> dict[str, tuple[Behave, type[Exception], str]]:
    """After the first piece, where nothing is tried again."""
    say, hi = server.streaming, text("Hi")
    return {
        "cut mid-token": (say(hi, then="cut"), ModelUnavailable, "failed"),
        "malformed JSON": (say(hi, b'data: {"id": oops\n\n'), ModelMalformed, "broken"),
        "nested too deep": (say(hi, b"data: " + b"[" * 100_000 + b"\n\n"), ModelMalformed, "broken"),
        "no UTF-8": (say(hi, b"data: \xff\xfe\n\n"), ModelMalformed, "broken"),
        "a number": (say(hi, b"data: 5\n\n"), ModelMalformed, "broken"),
        "wrong types": (say(hi, chunk({"content": 7})), ModelMalformed, "broken"),
        "no finish": (say(hi), ModelMalformed, "broken"),
        "ended quietly": (say(hi, b": ping\n\n", b""), ModelMalformed, "broken"),
        "an error": (say(hi, b'data: {"error": {"message": "overloaded"}}\n\n'), ModelUnavailable, "failed"),
    }


@pytest.mark.parametrize("how", failures(ModelServer()))
async def test_what_fails_midway_keeps_what_was_said_and_is_not_tried_again(case: Case, how: str) -> None:
    behave, error, outcome = failures(case.server)[how]
    case.server.script = [behave]

    failure, said = await case.refusal()

    assert type(failure) is error
    assert said[1:] == [Text("Hi")]
    assert case.counted() == {outcome: 1}
    assert len(case.server.asked) == 1


@pytest.mark.parametrize(
    ("behave", "error", "outcome"),
    [
        (replying(b'{"error": "no"}', 401), ModelRejected, "refused"),
        (replying(b'{"error": {"message": "too long"}}', 400), ModelRejected, "refused"),
        (replying(b"", 404), ModelRejected, "refused"),
        (replying(b"{}", 429), ModelUnavailable, "failed"),
        (replying(b"", 307, Location="http://127.0.0.1:1/evil"), ModelMalformed, "broken"),
        (replying(b"<html></html>", 200, Content_Type="text/html"), ModelMalformed, "broken"),
        (replying(b'{"choices": []}', 200, Content_Type="application/json"), ModelMalformed, "broken"),
    ],
    ids=["401", "400", "404", "429 without a time", "redirect", "html", "json"],
)
async def test_what_is_no_answer_is_refused_at_once(
    case: Case, behave: Behave, error: type[Exception], outcome: str
) -> None:
    case.server.script = [behave]

    failure, said = await case.refusal()

    assert (type(failure), said) == (error, [])
    assert case.counted() == {outcome: 1}
    assert len(case.server.asked) == 1


async def test_call_is_in_the_receipt_and_sends_the_trace(case: Case) -> None:
    context = RequestContext("r", "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", sampled=False)

    token = enter_request(context)
    await case.ask()
    leave_request(token)

    assert context.notes is not None
    assert context.notes.parts == {"upstream:llm": [1, 0.0]}
    assert case.server.asked[0][0]["traceparent"] == "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"


async def test_each_try_is_a_part_of_the_trace_and_no_word_is_in_it(case: Case) -> None:
    secret = "what-was-asked-and-said"
    case.server.script = [replying(b"", 500), case.server.streaming(text(secret), finish(), usage(5, 7))]
    with collecting() as collector:
        async with open_tracing(Settings(server=ServerSettings(otlp_endpoint=AnyHttpUrl(collector.url)))):
            with led_by(None, "request", "test"):
                await case.ask([UserMessage(secret)])

    failed, fine = (span for span in collector.spans if span.name == "chat")
    assert (failed.kind, failed.failed, fine.failed) == ("client", True, False)
    assert fine.values == {
        "server.address": "127.0.0.1",
        "portico.upstream": "llm",
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": MODEL,
        "gen_ai.usage.input_tokens": 5,
        "gen_ai.usage.output_tokens": 7,
    }
    assert case.server.asked[1][0]["traceparent"].split("-")[1:3] == [fine.trace_id, fine.id]
    assert secret.encode() not in collector.bytes
    assert KEY.encode() not in collector.bytes


async def test_tokens_and_the_first_piece_are_measured(case: Case) -> None:
    def measured() -> list[float]:
        samples: list[tuple[str, dict[str, str]]] = [
            ("tokens_total", {"kind": "prompt"}),
            ("tokens_total", {"kind": "completion"}),
            ("first_piece_seconds_count", {}),
        ]
        return [REGISTRY.get_sample_value(f"portico_model_{name}", labels) or 0.0 for name, labels in samples]

    before = measured()

    await case.ask()

    assert [after - was for after, was in zip(measured(), before, strict=True)] == [5, 7, 1]


async def test_only_model_of_the_server_is_found_once(case: Case) -> None:
    case.model = case.client(model=None)

    await case.ask()
    began = (await case.ask())[0]

    assert isinstance(began, Began)
    assert began.provenance.model == MODEL
    assert [body["model"] for _, body in case.server.asked] == [MODEL, MODEL]
    assert case.server.listed == 1


async def test_of_several_models_none_is_guessed(case: Case) -> None:
    case.server.models = {"data": [{"id": "a"}, {"id": "b"}]}
    case.model = case.client(model=None)

    failure, _ = await case.refusal()

    assert type(failure) is ModelRejected
    assert case.server.asked == []


async def test_no_secret_is_in_logs_errors_and_reprs(case: Case, log_entries: LogEntries) -> None:
    secret = "what-was-asked-and-said"
    server = case.server
    case.model = case.client(url=server.url.replace("http://", f"http://me:{KEY}@"))
    seen = [repr(case.model), repr(case.model.provenance)]
    scripts = (
        replying(f'{{"error": {{"message": "{KEY} {secret}"}}}}'.encode(), 401, Content_Type="application/json"),
        server.streaming(text("Hi"), f'data: {{"error": {{"message": "{KEY} {secret}"}}}}\n\n'.encode()),
        server.streaming(text("Hi"), f"data: {{{KEY} {secret}\n\n".encode()),
        server.streaming(text("Hi"), chunk({"content": [secret]})),
    )
    for script in scripts:
        server.script = [script]
        failure, _ = await case.refusal([UserMessage(secret)])
        seen += [repr(failure), str(failure), repr(failure.__cause__), str(failure.__cause__)]
        assert failure.__cause__ is not None
        assert failure.__cause__.__cause__ is None

    told = f"{seen} {list(log_entries)}"
    assert [entry["event"] for entry in log_entries].count("upstream_failed") == len(scripts)
    assert KEY not in told
    assert secret not in told
