"""Model servers: real ones on this machine that speak OpenAI's protocol as a test wants, well or badly."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Literal

from tests.factories.carriers import Behave, Carrier, listening, replying

MODEL = "small-1"
Part = dict[str, Any] | bytes | asyncio.Event
DONE = b"data: [DONE]\n\n"


def chunk(delta: dict[str, Any] | None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": MODEL, "choices": choices} | more


def text(said: str) -> dict[str, Any]:
    return chunk({"content": said})


def call(index: int, arguments: str = "", **more: Any) -> dict[str, Any]:
    """A piece of one; `id` and `name` are in the first."""
    function = {"arguments": arguments} | ({"name": more.pop("name")} if "name" in more else {})
    return chunk({"tool_calls": [{"index": index, "function": function} | more]})


def finish(reason: str = "stop") -> dict[str, Any]:
    return chunk({}, reason)


def usage(prompt: int, completion: int) -> dict[str, Any]:
    return chunk(None, usage={"prompt_tokens": prompt, "completion_tokens": completion})


HELLO: Sequence[Part] = (chunk({"role": "assistant", "content": ""}), text("Hel"), text("lo"), finish(), usage(5, 7))


class ModelServer(Carrier):
    """Plays `script`, one part to each question; the last, again and again. What is asked with GET answers `models`."""

    def __init__(self) -> None:
        super().__init__()
        self.models: Any = {"object": "list", "data": [{"id": MODEL, "object": "model"}]}
        self.listed = 0
        self.script: list[Behave] = [self.streaming(*HELLO)]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def streaming(self, *parts: Part, then: Literal["done", "cut", "hold"] = "done", kind: str = "") -> Behave:
        """`hold` sends no more, and waits until the client has left."""

        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = (
                f"HTTP/1.1 200 OK\r\nContent-Type: {kind or 'text/event-stream'}\r\nTransfer-Encoding: chunked\r\n\r\n"
            )
            writer.write(head.encode())
            for part in (*parts, DONE) if then == "done" else parts:
                if isinstance(part, asyncio.Event):
                    await part.wait()
                else:
                    line = part if isinstance(part, bytes) else b"data: " + json.dumps(part).encode() + b"\n\n"
                    writer.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
                    await writer.drain()
            if then == "done":
                writer.write(b"0\r\n\r\n")
                await writer.drain()
            elif then == "hold":
                await self.holding(reader, writer)

        return behave

    async def babbling(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Does not stop to talk."""
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        line = b"data: " + json.dumps(text("bla " * 1000)).encode() + b"\n\n"
        with suppress(ConnectionError):
            while True:
                writer.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
                await writer.drain()
        self.left.set()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        request, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        if request.startswith("GET "):
            self.listed += 1
            behave = replying(json.dumps(self.models).encode(), Content_Type="application/json")
        else:
            assert request == "POST /v1/chat/completions HTTP/1.1"
            body = json.loads(await reader.readexactly(int(headers["content-length"])))
            self.asked.append((headers, body))
            self.reached.set()
            behave = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        await behave(reader, writer)


@asynccontextmanager
async def a_model_server() -> AsyncIterator[ModelServer]:
    server = ModelServer()
    async with listening(server):
        yield server
