"""How long a model is still asked after somebody cancelled its run in another process: two servers over one PostgreSQL,
which Valkey wakes, or which look by themselves where it is away.
"""

import asyncio
import json
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import httpx

from benchmarks.harness.catalogue import postgres
from benchmarks.harness.contenders import PORTICO, on_postgres
from benchmarks.harness.processes import running
from benchmarks.report import Row, at_most
from tests.factories.model_servers import ModelServer, a_model_server, text
from tests.fixtures.valkey import ValkeyProcess

RUNS = 10  # of each kind; alone a process allows five questions a minute, so that both are asked by turns
REQUIRED_MS = 1_000
_CHAT = "/public/v1/assistant/chat"
_ASKED = {"messages": [{"role": "user", "content": "hello"}], "stream": True}
_SECONDS = 30


def run() -> list[Row]:
    return asyncio.run(_measured())


async def _measured() -> list[Row]:
    async with a_model_server() as model:
        model.script = [model.streaming(text("so far "), text("so good "), then="hold")]
        with ExitStack() as stack:
            valkey = await asyncio.to_thread(ValkeyProcess)
            stack.callback(valkey.stop)
            _, (database,) = await asyncio.to_thread(stack.enter_context, postgres("portico"))
            environment = on_postgres(database) | {
                "PORTICO_REDIS_URL": valkey.url,
                "PORTICO_LLM_BASE_URL": model.url,
            }
            servers = [await asyncio.to_thread(_served, stack, environment) for _ in range(2)]
            rows = _rows("woken by Valkey", await _cancelled(servers, model))
            valkey.kill()
            stack.callback(valkey.restart)
            return rows + _rows("Valkey away", await _cancelled(servers, model))


def _served(stack: ExitStack, environment: dict[str, str]) -> str:
    folder = stack.enter_context(TemporaryDirectory())
    given = environment | {"PORTICO_DATA_DIR": folder}
    _, address = stack.enter_context(running((*PORTICO, "serve", "--port", "0", "--no-demo"), Path(folder), given))
    return address


async def _cancelled(servers: list[str], model: ModelServer) -> list[float]:
    """Milliseconds from the request to cancel until the model's server sees that it is left, of each run."""
    found = []
    async with httpx.AsyncClient(timeout=_SECONDS) as client:
        for number in range(RUNS):
            here, there = servers[number % 2], servers[1 - number % 2]
            model.left.clear()
            async with client.stream("POST", here + _CHAT, json=_ASKED) as response:
                run_id = await _first(response)
                began = time.monotonic()
                cancelling = asyncio.create_task(client.post(f"{there}/public/v1/assistant/runs/{run_id}/cancel"))
                async with asyncio.timeout(_SECONDS):
                    await model.left.wait()
                found.append((time.monotonic() - began) * 1000)
                (await cancelling).raise_for_status()
    return found


async def _first(response: httpx.Response) -> str:
    """The run's id, once the model has said something."""
    assert response.is_success, await response.aread()
    async for line in response.aiter_lines():
        if line.startswith("data: "):
            run_id: str = json.loads(line.removeprefix("data: "))["run_id"]
            return run_id
    raise RuntimeError("the model said nothing")


def _rows(how: str, found: list[float]) -> list[Row]:
    return [
        Row(f"left after, {how}, median of {RUNS}", median(found), "ms"),
        at_most(f"left after, {how}, the longest", max(found), "ms", REQUIRED_MS),
    ]
