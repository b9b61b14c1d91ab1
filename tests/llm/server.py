"""The model server as a process of its own: fetched where it is not there yet, started, and ended by its id."""

import asyncio
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from benchmarks.harness.install import INSTALLED, python_with

_HERE = Path(__file__).parent
_STOP_SECONDS = 10.0


class ModelServer:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.url = ""
        self._process = process

    def started(self) -> None:
        assert self._process.stdout is not None
        ready = next((line for line in self._process.stdout if line.startswith("READY ")), None)
        if ready is None:
            raise RuntimeError(f"the model server ended with {self._process.wait()}")
        self.url = f"{ready.split()[1]}/v1"

    async def idle(self) -> None:
        """Returns when it answers nobody any more; it has one place."""
        slots = self.url.replace("/v1", "/slots")
        async with httpx2.AsyncClient(trust_env=False) as client:
            while any(slot["is_processing"] for slot in (await client.get(slots)).json()):  # noqa: ASYNC110
                await asyncio.sleep(0.01)  # it tells nobody

    def end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextmanager
def a_model_server() -> Iterator[ModelServer]:
    """Raises NotInstalled where it cannot be fetched, and RuntimeError where it does not start."""
    python = python_with(_HERE / "requirements.txt", INSTALLED / "llm", "--no-deps")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with subprocess.Popen(
        [python, _HERE / "program.py", str(port)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        server = ModelServer(process)
        try:
            server.started()
            yield server
        finally:
            server.end()
