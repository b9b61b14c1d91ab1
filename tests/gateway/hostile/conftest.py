"""A server as it is run, and connections below any client library (docs/hostile-clients.md)."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.fixtures.processes import GUNICORN, PORTICO, Process, a_free_port, programs_in

PATIENCE = 30.0


class Server:
    def __init__(self, process: Process, port: int) -> None:
        self.process = process
        self.port = port

    @property
    def resident_kilobytes(self) -> int:
        """Of the process, or its one worker."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        status = Path(f"/proc/{children[0] if children else pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0])

    async def has_logged(self, request_id: str) -> bool:
        """Once all that came before is logged."""
        marker = f"marker-of-{request_id}"
        await ask(self.port, request(b"/healthz", b"X-Request-ID: %b" % marker.encode(), b"Connection: close"))
        await asyncio.to_thread(self.process.until, f'"request_id":"{marker}"')
        return f'"request_id":"{request_id}"' in self.process.stdout + self.process.stderr


@pytest.fixture(scope="module", params=["serve", "gunicorn"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    port = a_free_port()
    commands = {
        "serve": (*PORTICO, "serve", "--no-demo", "--port", str(port)),
        "gunicorn": (*GUNICORN, "-b", f"127.0.0.1:{port}", "-w", "1", "gateway.main:app"),
    }
    with programs_in(tmp_path_factory.mktemp("hostile")) as start:
        process = start(*commands[request.param])
        process.until("Portico is ready" if request.param == "serve" else "Application startup complete")
        yield Server(process, port)


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def ask(port: int, *pieces: bytes) -> bytes:
    """All that comes back until the server closes the connection."""
    async with connected(port) as (reader, writer), asyncio.timeout(PATIENCE):
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
        except ConnectionError:  # it has closed: what it said is still there
            pass
        return await rest(reader)


async def rest(reader: asyncio.StreamReader) -> bytes:
    found = b""
    try:
        while piece := await reader.read(65536):
            found += piece
    except ConnectionError:
        pass
    return found


async def head(reader: asyncio.StreamReader) -> bytes:
    """Of one answer, whose body is read too."""
    found = await reader.readuntil(b"\r\n\r\n")
    length = found.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
    await reader.readexactly(int(length))
    return found


def request(
    path: bytes, *headers: bytes, method: bytes = b"GET", body: bytes = b"", host: bytes = b"shop.test"
) -> bytes:
    lines = [b"%b %b HTTP/1.1" % (method, path), b"Host: %b" % host, *headers]
    if body:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])
