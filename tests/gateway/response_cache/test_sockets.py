"""Over a real server: what clients read, and what those who leave do to those who stay."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import FastAPI

from tests.conftest import needs
from tests.factories.catalogue import Catalogue
from tests.factories.clocks import FakeClock
from tests.factories.shop import CATALOGUE
from tests.factories.statements import recorded
from tests.fixtures.application import LogEntries
from tests.fixtures.listening import Listening, listen
from tests.gateway.response_cache.shop import LIST, heard, told

QUERY = json.dumps({"query": "{products(first: 9) {nodes {id handle title variants {sku price {amount}}}}}"})


@pytest.fixture
async def shop(app: FastAPI, log_entries: LogEntries) -> AsyncIterator[Listening]:  # noqa: ARG001  no log on stderr
    async with listen(app) as listening:
        await listening.state["tailer"].looked.wait()
        catalogue = Catalogue(listening.state["resources"].database, FakeClock())
        for data in CATALOGUE:
            await catalogue.add(data)
        await heard(listening)
        yield listening


@pytest.mark.parametrize("encoding", ["identity", "gzip", "br", "zstd"])
async def test_curl_reads_what_is_put_together_for_each_caller(shop: Listening, encoding: str) -> None:
    curl = needs("curl")
    remaining = []
    for _ in range(3):
        process = await asyncio.create_subprocess_exec(
            *(
                curl,
                "-sS",
                "--compressed",
                "-H",
                f"Accept-Encoding: {encoding}",
                "-H",
                "Content-Type: application/json",
            ),
            *("-d", QUERY, f"http://{shop.address}/graphql"),
            stdout=asyncio.subprocess.PIPE,
        )
        answer = json.loads((await process.communicate())[0])

        assert process.returncode == 0
        assert len(answer["data"]["products"]["nodes"]) == 5
        remaining.append(answer["extensions"]["cost"]["remaining"])
    assert len(set(remaining)) == 3


async def test_five_hundred_who_ask_at_once_cost_one_statement(shop: Listening) -> None:
    statements = recorded(shop.state["resources"].database.reader)
    limits = httpx2.Limits(max_connections=50)
    async with httpx2.AsyncClient(base_url=f"http://{shop.address}", limits=limits, timeout=60) as client:
        with statements as sent:
            answers = await asyncio.gather(*(client.get(LIST) for _ in range(500)))

    assert len({answer.content for answer in answers}) == 1
    assert len(sent) == 1
    outcomes = [told(answer) for answer in answers]
    assert outcomes.count("fwd=uri-miss; stored") == 1


async def test_connection_that_closes_while_its_answer_is_made_harms_nobody(shop: Listening) -> None:
    host, port = shop.address.split(":")
    request = f"GET {LIST} HTTP/1.1\r\nHost: {shop.address}\r\n\r\n".encode()
    for _ in range(10):
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(request)
        writer.close()
    async with httpx2.AsyncClient(base_url=f"http://{shop.address}", timeout=60) as client:
        answers = await asyncio.gather(*(client.get(LIST) for _ in range(10)))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
