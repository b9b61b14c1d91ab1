"""Clients that know which process answers them: each has one connection, and a connection has one worker."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import httpx2
from prometheus_client.parser import text_string_to_metric_families

from tests.faults.site import HUNG_SECONDS, METRICS_TOKEN, WEB

_AT_ONCE = 8  # of connections: who of the idle workers takes one that comes alone is often the same
_MOST = 400
Headers = dict[str, str]


@dataclass
class Voice:
    client: httpx2.AsyncClient
    process: int  # the worker's
    statuses: Counter[int] = field(default_factory=Counter)

    async def ask(self, method: str, path: str, **what: object) -> httpx2.Response:
        answer: httpx2.Response = await self.client.request(method, path, **what)  # type: ignore[arg-type]
        self.statuses[answer.status_code] += 1
        return answer


@asynccontextmanager
async def voices(address: str, operator: Headers, each: int = 2, workers: int = WEB) -> AsyncIterator[list[Voice]]:
    """So many for each of the workers, one worker's after another's in turn."""
    async with AsyncExitStack() as stack:
        found: dict[int, list[Voice]] = defaultdict(list)
        for _ in range(_MOST // _AT_ONCE):
            opened = await asyncio.gather(*(_open(stack, address, operator) for _ in range(_AT_ONCE)))
            for voice in opened:
                found[voice.process].append(voice)
            if len(found) == workers and min(map(len, found.values())) >= each:
                break
        assert len(found) == workers, found.keys()
        yield [
            voice
            for together in zip(*(each_of[:each] for each_of in found.values()), strict=True)
            for voice in together
        ]


async def _open(stack: AsyncExitStack, address: str, operator: Headers) -> Voice:
    client = httpx2.AsyncClient(
        base_url=address,
        timeout=HUNG_SECONDS,
        limits=httpx2.Limits(max_connections=1, keepalive_expiry=HUNG_SECONDS),
        trust_env=False,
    )
    await stack.enter_async_context(client)
    health = await client.get("/internal/health", headers=operator)
    return Voice(client, health.json()["process"])


def processes_of(speaking: Sequence[Voice]) -> set[int]:
    return {each.process for each in speaking}


def metric(address: str, name: str, **labels: str) -> float:
    """Of all workers together: the sum of the samples of this name that have these labels."""
    headers = {"Authorization": f"Bearer {METRICS_TOKEN}"}
    text = httpx2.get(f"{address}/internal/metrics", headers=headers, timeout=HUNG_SECONDS, trust_env=False).text
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return sum(each.value for each in samples if each.name == name and labels.items() <= each.labels.items())
