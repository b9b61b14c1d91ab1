"""Answers over two servers, one PostgreSQL and one Valkey: read in another process, cancelled from there, and ended
there when their own was killed.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from commerce.assistant.keeping import Pace
from tests.factories.model_servers import ModelServer, a_model_server, finish, text, usage
from tests.fixtures.processes import GUNICORN, Process, StartProcess, a_free_port
from tests.fixtures.sse import EventSource, SentEvent, event_source
from tests.fixtures.valkey import ValkeyProcess
from tests.gateway.processes.test_shared_changes import a_shop

CHAT = "/public/v1/assistant/chat"
RUNS = "/public/v1/assistant/runs"
SECRET = "k" * 32
# gunicorn, whose runs are nobody's three seconds after their process was killed and not after twenty. Where processes
# are told of cancelled runs they do not look for them.
HASTY = """
import runpy
from datetime import timedelta
from commerce.assistant.keeping import Pace
Pace.__init__.__defaults__ = (timedelta(seconds=3), 0.5, {look})
runpy.run_module("gunicorn", run_name="__main__")
"""
ASKED = {"messages": [{"role": "user", "content": "hello"}]}


@dataclass
class Site:
    """`here` is where questions are asked."""

    here: httpx2.AsyncClient
    there: httpx2.AsyncClient
    server: Process
    model: ModelServer


@pytest.fixture(params=["told", "looking"])
async def site(
    request: pytest.FixtureRequest, start: StartProcess, postgres_database_url: str, valkey: ValkeyProcess
) -> AsyncIterator[Site]:
    """`looking`: Valkey is away, so that nobody is woken and all look by themselves."""
    await a_shop(postgres_database_url)
    async with a_model_server() as model, AsyncExitStack() as stack:
        settings = {
            "PORTICO_DATABASE_URL": postgres_database_url,
            "PORTICO_REDIS_URL": valkey.url,
            "PORTICO_SECRET_KEY": SECRET,
            "PORTICO_LLM_BASE_URL": model.url,
        }
        ports = [a_free_port() for _ in range(2)]
        look = {"told": 3600.0, "looking": Pace().look}[request.param]
        command = (sys.executable, "-c", HASTY.format(look=look), *GUNICORN[2:])
        started = [start(*command, "-b", f"127.0.0.1:{port}", "gateway.main:app", **settings) for port in ports]
        for process in started:
            await asyncio.to_thread(process.until, "Application startup complete")
        if request.param == "looking":
            valkey.kill()
        here, there = [
            await stack.enter_async_context(httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30))
            for port in ports
        ]
        yield Site(here, there, started[0], model)
    if request.param == "looking":
        valkey.restart()


class Asked:
    """A question whose answer is streamed to nobody who reads on."""

    def __init__(self, run_id: str, first: list[SentEvent]) -> None:
        self.run_id = run_id
        self.first = first
        self.events = f"{RUNS}/{run_id}/events"


async def ask(site: Site, headers: dict[str, str] | None = None) -> Asked:
    """Reads one event and leaves."""
    sent: dict[str, Any] = {**ASKED, "stream": True}
    async with site.here.stream("POST", CHAT, json=sent, headers=headers) as response:
        assert response.status_code == 200, await response.aread()
        first = await EventSource(response).take(1)
        return Asked(response.headers["location"].removesuffix("/events").rpartition("/")[2], first)


def said(events: list[SentEvent]) -> str:
    return "".join(each.data["text"] for each in events if each.type == "token")


async def test_answer_is_read_on_in_another_process_without_a_gap(site: Site) -> None:
    gates = [asyncio.Event() for _ in range(3)]
    words = [f"word {letter} " for letter in "abcdefgh"]
    site.model.script = [
        site.model.streaming(
            *map(text, words[:2]),
            gates[0],
            *map(text, words[2:4]),
            gates[1],
            *map(text, words[4:]),
            finish(),
            usage(5, 8),
        )
    ]

    asked = await ask(site)
    async with event_source(site.there, asked.events, last_event_id=asked.first[-1].id) as there:
        gates[0].set()
        more = await there.take(1)
    async with event_source(site.there, asked.events, last_event_id=more[-1].id) as there:
        gates[1].set()
        rest = await there.rest()
    async with event_source(site.here, asked.events) as again:
        whole = await again.rest()

    events = asked.first + more + rest
    assert [each.id for each in events] == [str(number) for number in range(1, len(events) + 1)]
    assert events == whole
    assert said(events) == "".join(words)
    assert (events[-1].type, events[-1].data["fallback"]) == ("done", False)


async def test_answer_is_cancelled_from_another_process_and_its_upstream_left(site: Site) -> None:
    site.model.script = [site.model.streaming(text("so far "), text("so good "), then="hold")]
    asked = await ask(site)

    cancelled = await site.there.post(f"{RUNS}/{asked.run_id}/cancel")
    async with asyncio.timeout(10):
        await site.model.left.wait()
    async with event_source(site.there, asked.events) as source:
        events = await source.rest()

    assert cancelled.status_code == 200
    assert cancelled.json()["state"] == "cancelled"
    assert (events[-1].type, events[-1].data["state"]) == ("done", "cancelled")
    assert said(events).startswith("so far ")


async def test_answer_of_a_killed_process_ends_as_an_error_and_can_be_retried(site: Site) -> None:
    site.model.script = [
        site.model.streaming(text("said before "), text("it was "), then="hold"),
        site.model.streaming(text("Whole again."), finish(), usage(1, 1)),
    ]
    asked = await ask(site, {"Idempotency-Key": "k1"})

    site.server.end()  # kill -9, of the worker too
    async with event_source(site.there, asked.events) as source:
        events = await source.rest()
    retried = await site.there.post(CHAT, json={**ASKED, "stream": True}, headers={"Idempotency-Key": "k1"})
    anew = await site.there.post(CHAT, json=ASKED)

    assert [each.id for each in events] == [str(number) for number in range(1, len(events) + 1)]
    assert said(events).startswith("said before ")
    assert events[-1].type == "error"
    assert (events[-1].data["code"], events[-1].data["retryable"]) == ("run_interrupted", True)
    assert retried.status_code == 200, retried.text
    assert asked.run_id not in retried.headers["location"]
    assert '"text":"Whole again."' in retried.text
    assert anew.json()["text"] == "Whole again."
