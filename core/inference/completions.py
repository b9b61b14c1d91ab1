"""The words of `POST /chat/completions`: what is sent, and what a stream of chunks says. No network here.

Servers that call themselves compatible differ; nothing of a chunk is used before its type was looked at. Source: the
streaming reference of OpenAI's chat completions.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.ids import new_id
from core.inference.chat import (
    AssistantMessage,
    FinishReason,
    Message,
    SystemMessage,
    Text,
    Tool,
    ToolCall,
    Usage,
    UserMessage,
)
from core.upstream.calls import BrokenAnswer

_LONGEST_NAME = 200
_MOST_CALLS = 16
_LETTERS_OF_A_TOKEN = 4  # of English, on average; for servers that do not count
# Other words, as of servers older than the tools, mean an end like any other.
_REASONS: Mapping[str, FinishReason] = {"length": "length", "content_filter": "content_filter"}


def body_of(messages: Sequence[Message], tools: Sequence[Tool]) -> dict[str, Any]:
    body: dict[str, Any] = {"messages": [_written(message) for message in messages]}
    if tools:
        body["tools"] = [
            {
                "type": "function",
                "function": {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)},
            }
            for tool in tools
        ]
    return body


def _written(message: Message) -> dict[str, Any]:
    match message:
        case SystemMessage(text):
            return {"role": "system", "content": text}
        case UserMessage(text):
            return {"role": "user", "content": text}
        case AssistantMessage(text, ()):
            return {"role": "assistant", "content": text}
        case AssistantMessage(text, calls):
            # Servers parse the arguments again, and some fail on what is no JSON, which we have told the model already.
            wanted = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {
                        "name": call.name,
                        "arguments": call.arguments_json if call.arguments is not None else "{}",
                    },
                }
                for call in calls
            ]
            return {"role": "assistant", "content": text or None, "tool_calls": wanted}
        case _:
            return {"role": "tool", "tool_call_id": message.call_id, "content": message.text}


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)


class _Function(_Part):
    name: str | None = None
    arguments: str | None = None


class _CallPiece(_Part):
    index: int | None = Field(None, ge=0, lt=_MOST_CALLS)
    id: str | None = None
    function: _Function | None = None


class _Delta(_Part):
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[_CallPiece] | None = None


class _Choice(_Part):
    index: int = 0
    delta: _Delta | None = None
    finish_reason: str | None = None


class _Usage(_Part):
    prompt_tokens: int = Field(ge=0)
    completion_tokens: int = Field(0, ge=0)


class _Chunk(_Part):
    model: str | None = None
    choices: list[_Choice] | None = None
    usage: _Usage | None = None


class _Listed(_Part):
    id: str = Field(min_length=1, max_length=_LONGEST_NAME)


class _Models(_Part):
    data: list[_Listed]


def models_in(data: object) -> list[str]:
    """The names in an answer of `GET /models`. Raises BrokenAnswer."""
    try:
        return [each.id for each in _Models.model_validate(data).data]
    except ValidationError:
        raise BrokenAnswer("no list of models") from None


@dataclass(slots=True)
class _Call:
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)


class ChunkReader:
    """Of one answer. `reason` is None until it is whole; `model` is what the server says that it runs."""

    def __init__(self) -> None:
        self.reason: FinishReason | None = None
        self.model: str | None = None
        self._usage: _Usage | None = None
        self._calls: dict[int, _Call] = {}
        self._letters = 0

    def read(self, chunk: object) -> Iterator[Text | ToolCall]:
        """What there is new in it; calls come whole, at the end. Raises BrokenAnswer."""
        try:
            found = _Chunk.model_validate(chunk)
        except ValidationError as error:
            where = ".".join(map(str, error.errors(include_input=False, include_url=False)[0]["loc"]))
            raise BrokenAnswer(f"a chunk that is none, at {where[:_LONGEST_NAME] or 'its root'}") from None
        self.model = self.model or clean(found.model or "")[:_LONGEST_NAME]
        self._usage = found.usage or self._usage
        for choice in found.choices or ():
            if choice.index == 0 and self.reason is None:
                yield from self._choice(choice)

    def usage(self, messages: Sequence[Message]) -> Usage:
        if self._usage is not None:
            return Usage(self._usage.prompt_tokens, self._usage.completion_tokens)
        asked = sum(len(message.text) for message in messages)
        return Usage(_tokens(asked), _tokens(self._letters), estimated=True)

    def _choice(self, choice: _Choice) -> Iterator[Text | ToolCall]:
        delta = choice.delta or _Delta()
        text = clean(delta.content or delta.refusal or "")
        self._letters += len(text)
        if text:
            yield Text(text)
        for piece in delta.tool_calls or ():
            self._collect(piece)
        if choice.finish_reason is not None:
            yield from (self._whole(self._calls[index]) for index in sorted(self._calls))
            self.reason = _REASONS.get(choice.finish_reason, "tool_calls" if self._calls else "stop")

    def _collect(self, piece: _CallPiece) -> None:
        index = piece.index
        if index is None:  # some leave it out, and send each call whole
            index = len(self._calls) - (0 if piece.id or not self._calls else 1)
        call = self._calls.setdefault(index, _Call())
        call.id = call.id or piece.id or ""
        if piece.function is not None:
            call.name += piece.function.name or ""
            call.arguments.append(piece.function.arguments or "")
            self._letters += len(call.arguments[-1])

    def _whole(self, call: _Call) -> ToolCall:
        if not 0 < len(call.name) <= _LONGEST_NAME:
            raise BrokenAnswer("a call of a tool without a name")
        written = clean("".join(call.arguments))
        return ToolCall(clean(call.id) or new_id("call"), clean(call.name), written, _object(written))


def clean(text: str) -> str:
    """Without what cannot be kept or sent as UTF-8: halves of surrogate pairs, and NUL."""
    if text.isascii():
        return text.replace("\0", "")
    return text.replace("\0", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _object(written: str) -> Mapping[str, Any] | None:
    """None for what is no JSON object, or one whose texts could not be kept. Nothing at all means no arguments."""
    try:
        found = json.loads(written or "{}", parse_constant=_refuse)
        kept = json.dumps(found, ensure_ascii=False)
        kept.encode()
    except (ValueError, RecursionError):  # half a surrogate pair is a ValueError too
        return None
    return found if isinstance(found, dict) and "\\u0000" not in kept else None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _tokens(letters: int) -> int:
    return -(-letters // _LETTERS_OF_A_TOKEN)
