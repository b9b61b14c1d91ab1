"""What a stream of chunks says, piece by piece, also where it is not what it should be."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from core.inference.chat import (
    AssistantMessage,
    Message,
    SystemMessage,
    Text,
    Tool,
    ToolCall,
    ToolMessage,
    Usage,
    UserMessage,
)
from core.inference.completions import ChunkReader, body_of, models_in
from core.upstream.calls import BrokenAnswer
from tests.factories.chat import a_bad_call, a_call
from tests.factories.model_servers import call, chunk, finish, text, usage


def read(*chunks: object) -> tuple[list[Text | ToolCall], ChunkReader]:
    reader = ChunkReader()
    return [piece for each in chunks for piece in reader.read(each)], reader


def arguments_of(*pieces: str) -> Mapping[str, Any] | None:
    chunks = [call(0, id="call_1", name="search"), *(call(0, piece) for piece in pieces), finish("tool_calls")]
    (found,), _ = read(*chunks)
    assert isinstance(found, ToolCall)
    assert found.arguments_json == "".join(pieces)
    return found.arguments


def test_conversation_is_written_as_the_protocol_says() -> None:
    messages: list[Message] = [
        SystemMessage("Be brief."),
        UserMessage("A jacket?"),
        AssistantMessage("", (a_call("search", q="jacket"), a_bad_call("search", '{"q":', "call_2"))),
        ToolMessage("call_1", "[]"),
        ToolMessage("call_2", "the arguments are no JSON object"),
        AssistantMessage("None."),
    ]
    tool = Tool("search", "Finds products.", {"type": "object", "properties": {"q": {"type": "string"}}})

    body = body_of(messages, [tool])

    first, second = (
        {"id": number, "type": "function", "function": {"name": "search", "arguments": arguments}}
        for number, arguments in (("call_1", '{"q": "jacket"}'), ("call_2", "{}"))
    )
    assert body == {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "A jacket?"},
            {"role": "assistant", "content": None, "tool_calls": [first, second]},
            {"role": "tool", "tool_call_id": "call_1", "content": "[]"},
            {"role": "tool", "tool_call_id": "call_2", "content": "the arguments are no JSON object"},
            {"role": "assistant", "content": "None."},
        ],
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "search",
                    "description": "Finds products.",
                    "parameters": {"type": "object", "properties": {"q": {"type": "string"}}},
                },
            }
        ],
    }
    assert "tools" not in body_of(messages, [])


def test_calls_in_pieces_come_whole_and_in_order() -> None:
    pieces, reader = read(
        text("Let me see."),
        call(1, id="b", name="product"),
        call(0, id="a", name="search"),
        call(0, '{"q": "ja'),
        call(1, '{"id": 7}'),
        call(0, 'cket"}'),
        finish("tool_calls"),
        usage(11, 12),
    )

    assert pieces == [
        Text("Let me see."),
        ToolCall("a", "search", '{"q": "jacket"}', {"q": "jacket"}),
        ToolCall("b", "product", '{"id": 7}', {"id": 7}),
    ]
    assert (reader.reason, reader.usage([]), reader.model) == ("tool_calls", Usage(11, 12), "small-1")


def test_calls_without_a_number_are_told_apart_by_their_ids() -> None:
    def piece(**call: Any) -> dict[str, Any]:
        return chunk({"tool_calls": [call]})

    pieces, _ = read(
        piece(id="a", function={"name": "search", "arguments": "{}"}),
        piece(id="b", function={"name": "product", "arguments": '{"id"'}),
        piece(function={"arguments": ": 7}"}),
        finish("stop"),
    )

    assert pieces == [ToolCall("a", "search", "{}", {}), ToolCall("b", "product", '{"id": 7}', {"id": 7})]


def test_call_without_an_id_gets_one() -> None:
    pieces, reader = read(call(0, "{}", name="search"), finish())

    assert isinstance(pieces[0], ToolCall)
    assert pieces[0].id.startswith("call_")
    assert reader.reason == "tool_calls"


@pytest.mark.parametrize(
    "written",
    [
        '{"q": "ja',
        "[1]",
        '"q"',
        "7",
        "null",
        "{'q': 1}",
        '{"q": NaN}',
        '{"q": "\\ud83d"}',
        '{"q": "\\u0000"}',
        "[" * 9999,
    ],
)
def test_bad_arguments_are_reported_as_such(written: str) -> None:
    assert arguments_of(written) is None


def test_no_arguments_at_all_are_an_empty_object() -> None:
    assert arguments_of() == {}


@pytest.mark.parametrize(
    ("said", "means"),
    [("stop", "stop"), ("length", "length"), ("content_filter", "content_filter"), ("eos", "stop"), ("", "stop")],
)
def test_reason_is_one_of_ours(said: str, means: str) -> None:
    assert read(text("a"), finish(said))[1].reason == means


def test_refusal_is_text_and_nothing_follows_the_end() -> None:
    pieces, _ = read(chunk({"refusal": "I may not."}), finish(), text("more"))

    assert pieces == [Text("I may not.")]


def test_text_can_always_be_kept_and_sent() -> None:
    pieces, _ = read(text("a\0b"), text("\ud83d"), text("ü\ud83d"), text("\N{JACK-O-LANTERN}"))

    assert pieces == [Text("ab"), Text("\ufffd"), Text("ü\ufffd"), Text("\N{JACK-O-LANTERN}")]


def test_tokens_are_estimated_where_nobody_counts_them() -> None:
    _, reader = read(text("eight ch"), call(0, "{}xxx", id="a", name="search"), finish())

    assert reader.usage([UserMessage("12345")]) == Usage(2, 4, estimated=True)


@pytest.mark.parametrize(
    "bad",
    [
        5,
        None,
        "text",
        {"choices": 7},
        {"choices": ["x"]},
        {"choices": [{"index": 0, "delta": {"content": 7}}]},
        {"choices": [{"index": 0, "delta": {"tool_calls": "zz"}}]},
        {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 10**6}]}}]},
        {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": {}}}]}}]},
        {"choices": [{"index": 0, "finish_reason": 1}]},
        {"choices": [], "usage": {"prompt_tokens": "5"}},
        {"choices": [], "usage": {"prompt_tokens": -5, "completion_tokens": 1}},
    ],
    ids=repr,
)
def test_chunk_of_wrong_types_is_broken_and_not_quoted(bad: object) -> None:
    with pytest.raises(BrokenAnswer) as broken:
        read(text("a"), bad)

    assert "zz" not in str(broken.value)


def test_call_of_nothing_is_broken() -> None:
    with pytest.raises(BrokenAnswer, match="without a name"):
        read(call(0, "{}", id="a"), finish())


def test_models_are_listed_or_the_list_is_broken() -> None:
    assert models_in(json.loads('{"data": [{"id": "a", "x": 1}, {"id": "b"}]}')) == ["a", "b"]
    for bad in ("<html>", {"data": [7]}, {"data": [{"id": ""}]}, None):
        with pytest.raises(BrokenAnswer):
            models_in(bad)
