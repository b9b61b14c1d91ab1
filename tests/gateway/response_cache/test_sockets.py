"""Over a real server: what clients read, and what those who leave do to those who stay."""

import asyncio
import json

import httpx2
import pytest

from tests.conftest import needs
from tests.factories.statements import recorded
from tests.fixtures.listening import Listening
from tests.gateway.response_cache.shop import LIST, told

QUERY = json.dumps({"query": "{products(first: 9) {nodes {id handle title variants {sku price {amount}}}}}"})


@pytest.mark.parametrize("encoding", ["identity", "gzip", "br", "zstd"])
async def test_curl_reads_what_is_put_together_for_each_caller(listening: Listening, encoding: str) -> None:
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
            *("-d", QUERY, f"http://{listening.address}/graphql"),
            stdout=asyncio.subprocess.PIPE,
        )
        answer = json.loads((await process.communicate())[0])

        assert process.returncode == 0
        assert len(answer["data"]["products"]["nodes"]) == 5
        remaining.append(answer["extensions"]["cost"]["remaining"])
    assert len(set(remaining)) == 3


async def test_five_hundred_who_ask_at_once_cost_one_statement(listening: Listening) -> None:
    statements = recorded(listening.state["resources"].database.reader)
    limits = httpx2.Limits(max_connections=50)
    async with httpx2.AsyncClient(base_url=f"http://{listening.address}", limits=limits, timeout=60) as client:
        with statements as sent:
            answers = await asyncio.gather(*(client.get(LIST) for _ in range(500)))

    assert len({answer.content for answer in answers}) == 1
    assert len([each for each in sent if "sort_value" in each]) == 1
    assert len(sent) < 20  # what jobs of the server read meanwhile, and nothing for each who asks
    outcomes = [told(answer) for answer in answers]
    assert outcomes.count("fwd=uri-miss; stored") == 1


async def test_connection_that_closes_while_its_answer_is_made_harms_nobody(listening: Listening) -> None:
    host, port = listening.address.split(":")
    request = f"GET {LIST} HTTP/1.1\r\nHost: {listening.address}\r\n\r\n".encode()
    for _ in range(10):
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(request)
        writer.close()
    async with httpx2.AsyncClient(base_url=f"http://{listening.address}", timeout=60) as client:
        answers = await asyncio.gather(*(client.get(LIST) for _ in range(10)))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
