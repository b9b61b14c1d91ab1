"""What a chat model is asked and what it says, whoever runs it: the words that they share, and how they fail.

A stream is `Began`, then `Text` and `ToolCall` as they come, then `Ended`; or it raises a ModelFailed, at any place.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

from core.errors import Unavailable
from core.inference.provenance import Provenance

MOST_TOKENS = 1024  # of one answer, unless asked otherwise: some 700 words
# `length`: it was cut at the number of tokens. `tool_calls`: whenever a tool was asked for.
FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]


@dataclass(frozen=True, slots=True)
class Tool:
    """`parameters`: a JSON Schema of an object."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """What the model wants of a tool. `arguments_json` is what it wrote; `arguments` is None where that is not a JSON
    object. Nobody compared them with the tool's schema, nor the name with those of the tools: who runs it does.
    """

    id: str
    name: str
    arguments_json: str
    arguments: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class SystemMessage:
    text: str


@dataclass(frozen=True, slots=True)
class UserMessage:
    text: str


@dataclass(frozen=True, slots=True)
class AssistantMessage:
    text: str
    calls: tuple[ToolCall, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolMessage:
    """The answer to one call. Each call is answered before the model is asked again."""

    call_id: str
    text: str


Message = SystemMessage | UserMessage | AssistantMessage | ToolMessage


@dataclass(frozen=True, slots=True)
class Began:
    """Always first, and known only with what comes next: who answers, which is not who was asked after a fallback."""

    provenance: Provenance


@dataclass(frozen=True, slots=True)
class Text:
    """Some more of the answer, never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class Usage:
    """In tokens. `estimated`: the model did not say."""

    prompt: int
    completion: int
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """Always last. An answer without it is not whole."""

    reason: FinishReason
    usage: Usage


Piece = Began | Text | ToolCall | Ended


class ChatModel(Protocol):
    """Per process, for any number of answers at once. Passes tests/core/inference/test_chat_contract.py."""

    @property
    def provenance(self) -> Provenance:
        """Of the model that is asked first; what answers, `Began` says."""
        ...

    def stream(
        self, messages: Sequence[Message], tools: Sequence[Tool], *, deadline: float, most_tokens: int = MOST_TOKENS
    ) -> AsyncGenerator[Piece, None]:
        """`deadline`, of the loop's time, is for the whole answer. Nothing is asked before the first piece is.

        Raises ModelFailed; after the first piece what was given stays said, and is not tried again by the model itself.
        To close the generator, or to cancel the task that waits for it, ends the call of the upstream at once; who
        stops reading closes it (`contextlib.aclosing`), for `break` alone does not.
        """
        ...


class ModelFailed(Unavailable):
    """The assistant's model gave no answer, or not a whole one. What it had said already stays."""


class ModelUnavailable(ModelFailed):
    """The assistant's model is away, overloaded, or left alone because it failed too often. Try again after a while."""

    code = "model_unavailable"
    title = "The model is not available"


class ModelTimeout(ModelFailed):
    """The assistant's model did not finish its answer in time. What it had said already stays; you may try again."""

    code = "model_timeout"
    title = "The model took too long"


class ModelRejected(ModelFailed):
    """The assistant's model does not take the question: it is too long, or the server is not set up for it. The same
    question will be refused again.
    """

    code = "model_rejected"
    title = "The model refused the question"
    retryable: ClassVar[bool] = False


class ModelMalformed(ModelFailed):
    """What the assistant's model sent is not an answer, or ended before it was whole. You may try again."""

    code = "model_malformed"
    title = "Broken answer of a model"
