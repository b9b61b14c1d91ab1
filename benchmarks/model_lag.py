"""What models at full load do to the event loop of the server that answers with them: how late its timers ring, while
as many as can be ask for searches by meaning, for recommendations of products that nobody has bought, and now and
then the assistant.
"""

import asyncio
import re
import secrets
import time
from collections import Counter
from collections.abc import Mapping
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import httpx
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.harness.catalogue import PRODUCTS, fill_sqlite
from benchmarks.harness.contenders import PORTICO
from benchmarks.harness.processes import running
from benchmarks.report import Row, at_most
from internal_api.dashboard.readings import Change, Reading, quantile

CONNECTIONS = 16
SECONDS = 20
REQUIRED_MS = 20
_BUILT_SECONDS = 120
_LAG = "portico_event_loop_lag_seconds"
_WISHES = ("something warm for the rain", "a present for a cook", "light bag for a trip", "shoes to run in")
_OK = re.compile("2..")


def run() -> list[Row]:
    token = secrets.token_hex(16)
    with TemporaryDirectory() as folder:
        fill_sqlite(Path(folder))
        environment = {
            "PORTICO_DATA_DIR": folder,
            "PORTICO_METRICS_TOKEN": token,
            "PORTICO_POINTS_PER_MINUTE": str(10**9),
            "PORTICO_RESPONSE_CACHE_MB": "0",
        }
        with running((*PORTICO, "serve", "--port", "0", "--no-demo"), Path(folder), environment) as (_, address):
            return asyncio.run(_measured(address, {"Authorization": f"Bearer {token}"}))


async def _measured(address: str, operator: Mapping[str, str]) -> list[Row]:
    limits = httpx.Limits(max_connections=CONNECTIONS + 1)
    async with httpx.AsyncClient(base_url=address, timeout=60, limits=limits) as client:
        await _until_built(client)
        page = (await client.get("/public/v1/products", params={"size": 100})).json()
        ids = [each["id"] for each in page["items"]]
        asked = Counter[str]()
        await _load(client, ids, asked, seconds=3)  # warm
        asked.clear()
        before = await _reading(client, operator)
        await _load(client, ids, asked, seconds=SECONDS)
        change = Change(before, await _reading(client, operator))
    late = change.buckets(_LAG)[()]
    p99, most = (quantile(share, late) or 0.0 for share in (0.99, 1.0))
    rows = [Row(f"{kind}, answered", count / SECONDS, "requests/s") for kind, count in sorted(asked.items())]
    rings = late.get(inf, 0)
    return [
        *rows,
        Row("rings of the loop's timer", rings),
        at_most("p99 of how late they were", p99 * 1000, "ms", REQUIRED_MS),
        Row("the latest, at most", most * 1000, "ms"),
    ]


async def _until_built(client: httpx.AsyncClient) -> None:
    """All products have their vectors, and are searched by them."""
    ends = time.monotonic() + _BUILT_SECONDS
    while (await client.get("/public/v1/search/semantic", params={"q": "warm"})).json()["fallback"]:
        assert time.monotonic() < ends, f"the index of {PRODUCTS} products is not built in {_BUILT_SECONDS} s"
        await asyncio.sleep(0.5)


async def _load(client: httpx.AsyncClient, ids: list[str], asked: Counter[str], *, seconds: float) -> None:
    ends = time.monotonic() + seconds

    async def ask_on(number: int) -> None:
        while time.monotonic() < ends:
            number += CONNECTIONS
            kind, answer = await _ask(client, ids, number)
            if _OK.fullmatch(str(answer.status_code)):
                asked[kind] += 1
            else:  # the assistant's twenty questions a minute
                assert (kind, answer.status_code) == ("assistant", httpx.codes.TOO_MANY_REQUESTS), answer.text

    await asyncio.gather(*(ask_on(number) for number in range(CONNECTIONS)))


async def _ask(client: httpx.AsyncClient, ids: list[str], number: int) -> tuple[str, httpx.Response]:
    wish = _WISHES[number % len(_WISHES)]
    if number % 64 == 0:
        body = {"messages": [{"role": "user", "content": wish}], "stream": False}
        return "assistant", await client.post("/public/v1/assistant/chat", json=body)
    if number % 2:
        return "recommendations", await client.get(f"/public/v1/products/{ids[number % len(ids)]}/recommendations")
    return "searches by meaning", await client.get(f"/public/v1/search/semantic?q={quote(f'{wish} {number % 50}')}")


async def _reading(client: httpx.AsyncClient, operator: Mapping[str, str]) -> Reading:
    text = (await client.get("/internal/metrics", headers=operator)).text
    return Reading(time.monotonic(), text_string_to_metric_families(text))
