"""gunicorn over the real application, with a few routes that only these tests need."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fixtures.processes import GUNICORN, Process, StartProcess

APPLICATION = """
import asyncio
import os
import sys

from fastapi import Request, WebSocket
from starlette.responses import StreamingResponse

from gateway.main import app

public = next(route.app for route in app.router.routes if getattr(route, "name", "") == "public")


@public.get("/pid")
async def pid() -> int:
    return os.getpid()


@public.get("/slow")
async def slow(seconds: float) -> str:
    print(f"slow request of {seconds} s began", file=sys.stderr, flush=True)
    await asyncio.sleep(seconds)
    return "finished"


@public.get("/stream")
async def stream(request: Request) -> StreamingResponse:
    async def events():
        while not request.state.draining.is_set():
            yield "event: tick\\ndata: {}\\n\\n"
            await asyncio.sleep(0.05)
        yield "event: reconnect\\ndata: {}\\n\\n"

    return StreamingResponse(events(), media_type="text/event-stream")


@public.websocket("/ws")
async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text)
"""

StartGunicorn = Callable[..., Process]


@pytest.fixture
def gunicorn(start: StartProcess, tmp_path: Path, free_port: int) -> StartGunicorn:
    """Starts it on `free_port` with options of its command line; `ready=False` does not wait for it to serve."""

    def run(*options: str, ready: bool = True, **environment: str) -> Process:
        (tmp_path / "probed.py").write_text(APPLICATION)
        process = start(*GUNICORN, "-b", f"127.0.0.1:{free_port}", *options, "probed:app", **environment)
        if ready:
            process.until("Application startup complete")
        return process

    return run


@pytest.fixture
def address(free_port: int) -> str:
    return f"http://127.0.0.1:{free_port}"
