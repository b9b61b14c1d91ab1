"""A chat model that says what a test wrote for it."""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from core.errors import AppError
from core.inference.chat import (
    MOST_TOKENS,
    Began,
    Ended,
    Message,
    ModelTimeout,
    Piece,
    Text,
    Tool,
    ToolCall,
    Usage,
)
from core.inference.provenance import Provenance

SCRIPTED = Provenance("scripted", "1", "sha256:" + "0" * 64)
# Text; a tool that it calls; what it waits for; how it fails; or an end that differs from the usual one.
Step = str | ToolCall | asyncio.Event | AppError | Ended


def a_call(name: str, call_id: str = "call_1", **arguments: Any) -> ToolCall:
    return ToolCall(call_id, name, json.dumps(arguments), arguments)


def a_bad_call(name: str, written: str, call_id: str = "call_1") -> ToolCall:
    """`written`: what is not a JSON object."""
    return ToolCall(call_id, name, written, None)


@dataclass(frozen=True)
class Asked:
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...]
    deadline: float
    most_tokens: int


class ScriptedModel:
    """Plays one script to each question; the last, again and again. `reached`: it was asked. `left`: an answer was
    closed or cancelled before it was whole. `running`: how many answers are being given.
    """

    def __init__(self, *scripts: Sequence[Step], provenance: Provenance = SCRIPTED) -> None:
        self.provenance = provenance
        self.asked: list[Asked] = []
        self.reached = asyncio.Event()
        self.left = asyncio.Event()
        self.running = 0
        self._scripts = scripts

    async def stream(
        self, messages: Sequence[Message], tools: Sequence[Tool], *, deadline: float, most_tokens: int = MOST_TOKENS
    ) -> AsyncGenerator[Piece, None]:
        script = self._scripts[min(len(self.asked), len(self._scripts) - 1)]
        self.asked.append(Asked(tuple(messages), tuple(tools), deadline, most_tokens))
        self.reached.set()
        self.running += 1
        try:
            async with aclosing(self._play(script, deadline)) as pieces:
                async for piece in pieces:
                    yield piece
        except (asyncio.CancelledError, GeneratorExit):
            self.left.set()
            raise
        finally:
            self.running -= 1

    async def _play(self, script: Sequence[Step], deadline: float) -> AsyncGenerator[Piece, None]:
        began = False
        for step in (*script, None):
            try:
                async with asyncio.timeout_at(deadline):
                    await (step.wait() if isinstance(step, asyncio.Event) else asyncio.sleep(0))
            except TimeoutError:
                raise ModelTimeout from None
            if isinstance(step, AppError):
                raise step
            if isinstance(step, asyncio.Event):
                continue
            if not began:
                began = True
                yield Began(self.provenance)
            if isinstance(step, str):
                yield Text(step)
            elif step is None:
                yield Ended(_reason(script), Usage(10, len(script)))
            else:
                yield step
                if isinstance(step, Ended):
                    return


def _reason(script: Sequence[Step]) -> Any:
    return "tool_calls" if any(isinstance(step, ToolCall) for step in script) else "stop"
