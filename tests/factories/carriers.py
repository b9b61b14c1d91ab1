"""Carriers: real servers on this machine that behave as a test wants, well or badly."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from core.settings import CarrierSettings

Behave = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def an_option(code: str = "ground", amount: Any = 900, currency: Any = "USD", **changes: Any) -> dict[str, Any]:
    return {"code": code, "service": code.title(), "price": {"amount": amount, "currency": currency}} | changes


def replying(body: bytes, status: int = 200, **headers: str) -> Behave:
    async def behave(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        given = {"Content-Length": str(len(body))} | {name.replace("_", "-"): value for name, value in headers.items()}
        lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
        writer.write(f"HTTP/1.1 {status} Said\r\n{lines}\r\n".encode() + body)
        await writer.drain()

    return behave


def offering(*options: dict[str, Any]) -> Behave:
    return replying(json.dumps({"options": options or (an_option(),)}).encode(), Content_Type="application/json")


async def cutting(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    await writer.drain()


class Carrier:
    """`asked`: what it was sent. `left`: a client let go of it before it had answered."""

    def __init__(self) -> None:
        self.port = 0
        self.asked: list[tuple[dict[str, str], dict[str, Any]]] = []
        self.reached = asyncio.Event()
        self.left = asyncio.Event()
        self.released = asyncio.Event()
        self.behave: Behave = offering()
        self._serving: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/quotes"

    def settings(self, name: str, **changes: Any) -> CarrierSettings:
        return CarrierSettings.model_validate({"name": name, "url": self.url, "timeout_seconds": 30} | changes)

    async def holding(self, reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        """Never answers."""
        with suppress(ConnectionError):
            await reader.read()
        self.left.set()

    async def waiting(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers when it is released."""
        await self.released.wait()
        await offering()(reader, writer)

    async def endless(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Does not stop to answer."""
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        with suppress(ConnectionError):
            while True:
                writer.write(b"1000\r\n" + b" " * 0x1000 + b"\r\n")
                await writer.drain()
        self.left.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._exchange(reader, writer)
        finally:
            self._serving.discard(task)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One a connection."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        pairs = (line.split(": ", 1) for line in head.strip().split("\r\n")[1:])
        headers = {name.lower(): value for name, value in pairs}
        body = await reader.readexactly(int(headers["content-length"]))
        self.asked.append((headers, json.loads(body)))
        self.reached.set()
        await self.behave(reader, writer)

    async def close(self) -> None:
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)


@asynccontextmanager
async def a_carrier() -> AsyncIterator[Carrier]:
    carrier = Carrier()
    async with listening(carrier):
        yield carrier


@asynccontextmanager
async def listening(carrier: Carrier) -> AsyncIterator[None]:
    server = await asyncio.start_server(carrier.serve, "127.0.0.1", 0)
    carrier.port = server.sockets[0].getsockname()[1]
    try:
        yield
    finally:
        server.close()
        await carrier.close()
        await server.wait_closed()
