"""Registered operations after the start: ready when the server serves, and not before."""

import asyncio
from typing import Any

import httpx2
from fastapi import FastAPI

from core.database import Database
from core.settings import Settings
from gateway.warming import warming
from graphql_api import deprecated, limits
from graphql_api.cost import price_of
from graphql_api.documents import ByText
from tests.factories.clocks import FakeClock
from tests.factories.operations import register
from tests.fixtures.application import LogEntries
from tests.fixtures.asgi import client_of, serve

WEB = {"X-Client-Name": "web"}


def misses() -> list[int]:
    """How many documents were parsed, validated, priced, and searched for what is deprecated."""
    caches: list[ByText[..., Any]] = [limits.parsed, limits.faults, price_of, deprecated._found]
    return [each.registered.cache_info().misses + each.strangers.cache_info().misses for each in caches]


async def test_first_request_after_the_start_parses_nothing(
    app: FastAPI, settings: Settings, log_entries: LogEntries
) -> None:
    texts = [f"query Warm{number} {{ warm: __typename }}" for number in range(5)]
    database = Database(settings.database_url)
    await register(database, FakeClock(), *texts, "query Broken { gone }")
    await database.close()
    async with serve(app) as served, client_of(served) as client:
        await served.state["operations"].policy("web")
        before = misses()
        served.state["serving"].set()
        async with asyncio.timeout(30):
            while any(now < then + 5 for now, then in zip(misses(), before, strict=True)):  # noqa: ASYNC110  nothing tells
                await asyncio.sleep(0.01)
        warm = misses()
        answers = [await ask(client, text) for text in texts]
        said = {entry["event"] for entry in log_entries.application}  # before its end, where jobs may be put back

    assert [now - then for now, then in zip(warm, before, strict=True)] == [6, 6, 5, 5]
    assert answers == [{"data": {"warm": "Query"}}] * 5
    assert misses() == warm
    assert said <= {"matrix_written", "job_ended"}  # of other parts
    assert "background_work_failed" not in {entry["event"] for entry in log_entries.application}


async def ask(client: httpx2.AsyncClient, text: str) -> object:
    answer = (await client.post("/graphql", json={"query": text}, headers=WEB)).json()
    answer.pop("extensions", None)
    return answer


async def test_server_that_ends_before_it_serves_waits_for_nothing(app: FastAPI, settings: Settings) -> None:
    async with serve(app) as served:
        before = misses()
        async with warming(served.state["operations"], None, asyncio.Event()):  # type: ignore[arg-type]
            pass

    assert misses() == before
    assert settings.embedded
