"""A TCP proxy of our own, between a process and a server: it passes bytes on at once, late, or not at all."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Literal

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], Awaitable[Streams]]
# `silent`: connections stay, new ones are taken, and nothing passes, as when a cable is cut. `refuse`: connections
# break at once, new ones too, as when the other host is there and the server is not.
Mode = Literal["pass", "silent", "refuse"]
_CHUNK = 65_536


class Proxy:
    """In a thread with an event loop of its own, so that it passes on whatever its owner waits for."""

    def __init__(self, connect: Connect, host: str = "127.0.0.1") -> None:
        self._connect = connect
        self._loop = asyncio.new_event_loop()
        self._passing = asyncio.Event()
        self._passing.set()
        self._refusing = False
        self._delay_seconds = 0.0
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self.host = host
        self.port = asyncio.run_coroutine_threadsafe(self._listen(host), self._loop).result()

    @property
    def address(self) -> tuple[str, int]:
        return self.host, self.port

    def set(self, mode: Mode, delay_seconds: float = 0.0) -> None:
        """From now on, for connections that are open and for new ones; each piece comes so much later."""
        asyncio.run_coroutine_threadsafe(self._set(mode, delay_seconds), self._loop).result()

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self, host: str) -> int:
        self._server = await asyncio.start_server(self._take, host, 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def _set(self, mode: Mode, delay_seconds: float) -> None:
        self._delay_seconds = delay_seconds
        self._refusing = mode == "refuse"
        if mode == "silent":
            self._passing.clear()
        else:
            self._passing.set()
        if mode == "refuse":
            for writer in self._open:
                writer.transport.abort()

    async def _end(self) -> None:
        self._server.close()
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._open.add(writer)
        other: asyncio.StreamWriter | None = None
        try:
            await self._passing.wait()
            if self._refusing:
                return
            there, other = await self._connect()
            self._open.add(other)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, other))
                group.create_task(self._pump(there, writer))
        except (OSError, ExceptionGroup, asyncio.CancelledError):
            pass
        finally:
            for each in (writer, other):
                if each is not None:
                    self._open.discard(each)
                    each.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until one end closes; then both are closed, which is all that databases need."""
        while data := await reader.read(_CHUNK):
            if self._delay_seconds:
                await asyncio.sleep(self._delay_seconds)
            await self._passing.wait()
            writer.write(data)
            await writer.drain()
        await self._passing.wait()
        with suppress(OSError):
            writer.close()
            await writer.wait_closed()
        raise ConnectionResetError


def to_address(host: str, port: int) -> Connect:
    return lambda: asyncio.open_connection(host, port)


def to_socket(path: str) -> Connect:
    return lambda: asyncio.open_unix_connection(path)


@contextmanager
def proxy(connect: Connect, host: str = "127.0.0.1") -> Iterator[Proxy]:
    opened = Proxy(connect, host)
    try:
        yield opened
    finally:
        opened.close()
