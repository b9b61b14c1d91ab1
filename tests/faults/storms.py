"""What one audience, or one key, asks for far too often, and what the others notice of it: on a site of three workers,
with the storm in a process of its own.
"""

import asyncio
import json
import math
import signal
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any

import psutil

from benchmarks.harness.processes import cores, pin
from benchmarks.report import Row, at_most
from commerce.accounts.api_keys import ApiKeyService
from commerce.accounts.commands import CreateKey
from commerce.catalog.service import CatalogService
from core.clock import SystemClock
from core.database import Database
from core.resources import open_resources
from core.settings import DataSettings, ServerSettings, Settings
from tests.factories.people import staff
from tests.factories.products import a_product, sized
from tests.faults.proving import Fault, Outcome, prove
from tests.faults.site import HUNG_SECONDS, SCOPES, Site
from tests.faults.storming import Ask, Storm
from tests.faults.voices import Headers, Voice, metric, voices
from tests.fixtures.processes import Process

# Storms are not to end because a budget is spent.
ENVIRONMENT = {"PORTICO_POINTS_PER_MINUTE": "1000000000"}
# Places are few, and nobody's patience ends, however busy the machine is.
NARROW = ENVIRONMENT | {
    "PORTICO_GRAPHQL_RUNNING": "4",
    "PORTICO_GRAPHQL_WAITING": "8",
    "PORTICO_QUEUE_SECONDS": "60",
}
_STORMING = "tests.faults.storming"
_PRODUCTS, _SIZES = 100, ("S", "M", "L", "XL", "XXL", "3XL")
_PAGE = """products(first: 100) { nodes { id handle title tags category { name }
  variants { sku title price { amount currency } available options { name value } product { handle title } } } }"""
# The first is a plan; the second is for the executor, because of `me`.
HEAVY = tuple(
    Ask("POST", "/graphql", json.dumps({"query": f"{{ {root} {_PAGE} }}"}))
    for root in ("categories { id }", "me { id }")
)
_ROUNDS = 2
CONNECTIONS = {True: 48, False: 400}  # by whether it is short: more than there are places in NARROW, more than run
KEY_CONNECTIONS = {True: 9, False: 24}  # fewer than one worker has places
_MEASURED_SECONDS = 15.0
_PAUSE = 0.02


def furnish(site: Site) -> Headers:
    """A catalogue of which one can ask for much; returns an operator's headers."""
    return asyncio.run(_furnish(site))


async def _furnish(site: Site) -> Headers:
    data = DataSettings(database_url=site.database_url, redis_url=site.valkey.url, data_dir=site.folder)
    server = ServerSettings.model_validate({"secret_key": site.environment["PORTICO_SECRET_KEY"]})
    async with open_resources(Settings(data=data, server=server)) as resources:
        async with resources.database.write() as session:
            catalogue = CatalogService(session, resources.clock)
            for number in range(_PRODUCTS):
                name = f"Lamp {number}"
                await catalogue.create(a_product(handle=f"lamp-{number}", title=name, **sized(*_SIZES)))
        return await staff(resources)


def new_key(site: Site) -> str:
    async def made(database: Database) -> str:
        async with database.write() as session:
            keys = ApiKeyService(session, SystemClock(), actor="test")
            return (await keys.create(CreateKey("storms", SCOPES))).secret

    return site.ask(made)


@dataclass
class Blowing:
    """A storm that blows; `answers` when it is over."""

    process: Process
    result: Path
    answers: Mapping[str, int] = field(default_factory=dict)

    def until(self, *kinds: str) -> None:
        """There was an answer of each."""
        for kind in kinds:
            self.process.until(f"first {kind}\n", HUNG_SECONDS)


@contextmanager
def storm(site: Site, key: str, asks: Sequence[Ask], connections: int, core: int | None = None) -> Iterator[Blowing]:
    result = site.folder / "storm.json"
    said = Storm(site.gateway.address, key, asks, connections, str(result), core)
    blowing = Blowing(site.start(sys.executable, "-m", _STORMING, said.json()), result)
    yield blowing
    blowing.process.send(signal.SIGTERM)
    assert blowing.process.wait(HUNG_SECONDS) == 0, blowing.process.story
    blowing.answers = json.loads(result.read_text())


@dataclass
class GraphQLStorm:
    """Heavy operations on both roads, more than there are places, while others are asked on each worker."""

    operator: Headers
    connections: int
    faults: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)

    def act(self, site: Site) -> float:
        address = site.gateway.address
        before = _seen(address)
        with storm(site, site.key, HEAVY, self.connections) as blowing:
            blowing.until("200", "503 overloaded")
            calm = asyncio.run(_ask_calmly(address, self.operator, site.key))
        back = monotonic()
        after = _seen(address)
        self._judge(calm, blowing.answers, {name: after[name] - before[name] for name in after})
        return back

    def _judge(self, calm: Counter[str], answers: Mapping[str, int], seen: Mapping[str, float]) -> None:
        if any(not each.endswith(" 200") for each in calm):
            self.faults.append(f"others noticed the storm: {dict(calm)}")
        if not answers.keys() <= {"200", "503 overloaded"}:
            self.faults.append(f"the storm got other answers than it should: {dict(answers)}")
        for name in ("refused by /graphql", "operations by plan", "operations by the executor", "slices"):
            if seen[name] <= 0:
                self.faults.append(f"{name}: none, in {dict(seen)}")
        for name in ("refused by /public", "refused by /internal"):
            if seen[name]:
                self.faults.append(f"{name}: {seen[name]:g}")
        self.rows = [
            Row("GraphQL operations answered in the storm", answers["200"]),
            Row("GraphQL operations refused in the storm", answers["503 overloaded"]),
            Row("others' requests refused", seen["refused by /public"] + seen["refused by /internal"]),
        ]


def _seen(address: str) -> dict[str, float]:
    refused, taken = "portico_bulkhead_refused_total", "portico_graphql_operations_total"
    return {
        **{
            f"refused by /{name}": metric(address, refused, audience=name) for name in ("public", "internal", "graphql")
        },
        "operations by plan": metric(address, taken, road="plan"),
        "operations by the executor": metric(address, taken, road="executor"),
        "slices": metric(address, "portico_graphql_slice_seconds_count"),
    }


async def _ask_calmly(address: str, operator: Headers, key: str) -> Counter[str]:
    """By path and status: each worker, a few times."""
    found = Counter[str]()
    asks: tuple[tuple[str, Headers], ...] = (
        ("/internal/health", operator),
        ("/public/v1/orders?size=5", bearer(key)),
        ("/public/v1/products", {}),
    )
    async with voices(address, operator) as speaking:
        for voice in speaking * _ROUNDS:
            for path, headers in asks:
                answer = await voice.ask("GET", path, headers=headers)
                found[f"{path} {answer.status_code}"] += 1
    return found


def isolation(site: Site, operator: Headers, connections: int) -> Outcome:
    """Nothing is lost by a storm on /graphql, and nobody but its callers is refused."""
    blowing = GraphQLStorm(operator, connections)
    outcome = prove(site, Fault("storm on /graphql", blowing.act, spared=0, unharmed=("orders",)))
    return Outcome(outcome.name, [*outcome.faults, *blowing.faults], [*outcome.rows, *blowing.rows])


@contextmanager
def on_one_core(site: Site) -> Iterator[int]:
    """All that serves, inside; its value is the other core."""
    serves, asks = cores()
    everybody = [site.gateway.master.pid, site.postgres.pid, *(each.pid for each in site.workers)]
    for pid in everybody:
        pin(psutil.Process(pid), serves)
    yield asks


def measured(site: Site, operator: Headers, connections: int) -> Outcome:
    """How long orders and /internal/health take, on each worker in turn, idle and in a storm on /graphql."""
    address = site.gateway.address
    with on_one_core(site) as core:
        idle = asyncio.run(_timed(address, operator, site.key))
        with storm(site, site.key, HEAVY, connections, core) as blowing:
            blowing.until("200", "503 overloaded")
            busy = asyncio.run(_timed(address, operator, site.key))
    slice_ms = metric(address, "portico_graphql_slice_seconds_max") * 1000
    cpu_ms = metric(address, "portico_graphql_slice_cpu_seconds_max") * 1000
    rows = [Row("longest GraphQL slice", slice_ms, "ms"), Row("most CPU of a GraphQL slice", cpu_ms, "CPU ms")]
    for door in idle:
        before, after = (quantile(times[door], 0.99) for times in (idle, busy))
        rows += [
            Row(f"{door}, p99 idle", before, "ms"),
            at_most(f"{door}, p99 in the storm", after, "ms", before + slice_ms),
            Row(f"{door}, p99 in the storm to idle", after / before, "x"),
        ]
    rows.append(Row("GraphQL operations answered in the storm", blowing.answers["200"]))
    return Outcome("storm on /graphql, measured", [], rows)


async def _timed(address: str, operator: Headers, key: str) -> dict[str, list[float]]:
    """Milliseconds, by door."""
    found: dict[str, list[float]] = {"/public orders": [], "/internal/health": []}
    body = {"lines": [{"sku": "CUP", "quantity": 1}], "email": "calm@example.com"}
    run = f"{monotonic()}"
    async with voices(address, operator) as speaking:
        ends, number = monotonic() + _MEASURED_SECONDS, 0
        while monotonic() < ends:
            voice = speaking[number % len(speaking)]
            number += 1
            placing = bearer(key) | {"Idempotency-Key": f"{run}-{number}"}
            found["/public orders"].append(
                await _took(voice, 201, "POST", "/public/v1/orders", json=body, headers=placing)
            )
            found["/internal/health"].append(await _took(voice, 200, "GET", "/internal/health", headers=operator))
            await asyncio.sleep(_PAUSE)
    return found


async def _took(voice: Voice, status: int, method: str, path: str, **what: Any) -> float:
    began = perf_counter()
    answer = await voice.ask(method, path, **what)
    assert answer.status_code == status, answer.text
    return (perf_counter() - began) * 1000


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest that so many are not above."""
    return sorted(values)[math.ceil(share * len(values)) - 1]


def bearer(key: str) -> Headers:
    return {"Authorization": f"Bearer {key}"}
