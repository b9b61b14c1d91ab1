"""How many requests a limit lets through, when all workers are asked at once; and what one key notices of another's
storm.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import redis

from benchmarks.report import Row
from commerce.limits.zones import SIGN_IN_ACCOUNT
from core.ids import new_id
from tests.faults.proving import Outcome
from tests.faults.site import WEB, Gateway, Site
from tests.faults.storming import Ask
from tests.faults.storms import bearer, new_key, on_one_core, quantile, storm
from tests.faults.voices import Headers, Voice, voices

LIMIT = 90  # points of a key in a minute
TRIES = SIGN_IN_ACCOUNT.amount
ROUNDS = {True: 2, False: 15}  # by whether it is short
_EACH = 4  # connections to each worker
_WINDOW_SECONDS = 60
# A point each, from one budget over all doors; the first is an answer that is kept.
CHEAP = (
    Ask("GET", "/public/v1/products"),
    Ask("GET", "/public/v1/orders?size=1"),
    Ask("POST", "/graphql", '{"query": "{ __typename }"}'),
)
Answers = dict[int, Counter[int]]  # by worker and status


@dataclass(frozen=True, slots=True)
class Counted:
    """What was answered, by worker and status."""

    points: Answers
    tries: Answers

    @staticmethod
    def total(answers: Answers) -> Counter[int]:
        return sum(answers.values(), Counter())


def counted(site: Site, gateway: Gateway, operator: Headers) -> Counted:
    """A key asks for four times its limit, and somebody guesses four times as many passwords as one may, on all
    connections to all workers at once.

    Points come back only with the next minute, by the clock of who counts (core.ratelimit.judged): until then they are
    two sums of which that of the last minute is none. So the storm is another key's, when one has begun in one minute
    and ended in the next.
    """
    now = _clock_of(gateway)
    while True:
        key, began = new_key(site), int(now() / _WINDOW_SECONDS)
        points = asyncio.run(_spend(gateway, operator, key))
        if int(now() / _WINDOW_SECONDS) == began:
            return Counted(points, asyncio.run(_guess(gateway, operator)))


def _clock_of(gateway: Gateway) -> Callable[[], float]:
    url = gateway.environment.get("PORTICO_REDIS_URL")
    if url is None:
        return time.time

    def redis_now() -> float:
        with redis.Redis.from_url(url) as client:
            seconds, _ = client.time()
        return float(seconds)

    return redis_now


async def _spend(gateway: Gateway, operator: Headers, key: str) -> Answers:
    async with voices(gateway.address, operator, _EACH, gateway.workers) as speaking:
        await _limit(speaking, operator, key)
        for voice in speaking[: gateway.workers]:  # so that each of them has allowed some
            await _say(voice, CHEAP[0], key)
        times = 4 * LIMIT // len(speaking)
        await asyncio.gather(*(_say_often(voice, key, times) for voice in speaking))
        return _answers(speaking)


async def _limit(speaking: Sequence[Voice], operator: Headers, key: str) -> None:
    """Returns when all workers obey."""
    path = f"/internal/rate-limits/api_key:{key.split('_')[1]}"
    body = {"points": LIMIT, "reason": "it storms"}
    (await speaking[0].client.put(path, json=body, headers=operator)).raise_for_status()
    for voice in speaking:
        while (await voice.client.get(path, headers=operator)).json()["points"] != LIMIT:  # noqa: ASYNC110  it tells nobody
            await asyncio.sleep(0.05)


async def _say_often(voice: Voice, key: str, times: int) -> None:
    for number in range(times):
        await _say(voice, CHEAP[number % len(CHEAP)], key)


async def _say(voice: Voice, ask: Ask, key: str) -> Any:
    headers = bearer(key) | {"Content-Type": "application/json"}
    answer = await voice.ask(ask.method, ask.path, content=ask.body, headers=headers)
    return answer.json()


async def _guess(gateway: Gateway, operator: Headers) -> Answers:
    form = {"username": f"{new_id('guessed')}@example.com", "password": "a guess"}

    async def guess(voice: Voice, times: int) -> None:
        for _ in range(times):
            await voice.ask("POST", "/public/v1/auth/token", data=form)

    async with voices(gateway.address, operator, _EACH, gateway.workers) as speaking:
        await asyncio.gather(*(guess(voice, 4 * TRIES // len(speaking)) for voice in speaking))
        return _answers(speaking)


def _answers(speaking: Sequence[Voice]) -> Answers:
    return {
        process: sum((each.statuses for each in speaking if each.process == process), Counter())
        for process in {each.process for each in speaking}
    }


@dataclass(frozen=True, slots=True)
class Asked:
    """By a key that keeps within its limit: `part` of an answer is the same whenever it is asked."""

    method: str
    path: str
    status: int = 200
    part: str = ""
    body: Any = None

    async def by(self, voice: Voice, key: str) -> tuple[int, Any]:
        headers = bearer(key) | {"Idempotency-Key": new_id("calm")}
        answer = await voice.ask(self.method, self.path, json=self.body, headers=headers)
        found = answer.json()
        return answer.status_code, found.get(self.part, found)


_LAMP = '{ product(handle: "lamp-1") { id title variants { id price { amount } available } } %s }'
_BUSINESS = (
    Asked("GET", "/public/v1/products/lamp-1"),
    Asked("GET", "/public/v2/products?limit=5"),
    Asked(
        "POST", "/public/v1/orders", 201, "lines", {"lines": [{"sku": "CUP", "quantity": 1}], "email": "c@example.com"}
    ),
    Asked("POST", "/graphql", part="data", body={"query": _LAMP % ""}),
    Asked("POST", "/graphql", part="data", body={"query": _LAMP % "me { id }"}),
)


@dataclass
class Neighbour:
    """What a key was answered while nobody else asked, and in another key's storm."""

    answers: list[Any] = field(default_factory=list)  # the first of each
    wrong: list[str] = field(default_factory=list)
    storm: Mapping[str, int] = field(default_factory=dict)
    idle: list[float] = field(default_factory=list)  # milliseconds, as are those of
    busy: list[float] = field(default_factory=list)

    def rows(self) -> list[Row]:
        rows = [Row("the storm's requests refused", self.storm["429 quota_exceeded"])]
        for share, name in ((0.5, "p50"), (0.99, "p99")):
            idle, busy = quantile(self.idle, share), quantile(self.busy, share)
            rows += [
                Row(f"another key's requests, {name} idle", idle, "ms"),
                Row(f"another key's requests, {name} in the storm", busy, "ms"),
                Row(f"another key's requests, {name} in the storm to idle", busy / idle, "x"),
            ]
        return rows


def neighbour(site: Site, operator: Headers, rounds: int, connections: int, core: int | None = None) -> Neighbour:
    """A key asks on all connections for what it is refused, and again at once; another goes on with its business."""
    stormy, calm, found = new_key(site), new_key(site), Neighbour()
    asyncio.run(_do_business(site.gateway, operator, calm, found, found.idle, rounds))
    asyncio.run(_limited(site.gateway, operator, stormy))
    with storm(site, stormy, CHEAP, connections, core) as blowing:
        blowing.until("200", "429 quota_exceeded")
        asyncio.run(_do_business(site.gateway, operator, calm, found, found.busy, rounds))
    found.storm = blowing.answers
    return found


async def _limited(gateway: Gateway, operator: Headers, key: str) -> None:
    async with voices(gateway.address, operator, workers=gateway.workers) as speaking:
        await _limit(speaking, operator, key)


async def _do_business(
    gateway: Gateway, operator: Headers, key: str, found: Neighbour, times: list[float], rounds: int
) -> None:
    """On each worker. What is answered otherwise than the first time is wrong."""
    async with voices(gateway.address, operator, workers=gateway.workers) as speaking:
        if not found.answers:
            found.answers = [await each.by(speaking[0], key) for each in _BUSINESS]
        for voice in speaking * rounds:
            for asked, first in zip(_BUSINESS, found.answers, strict=True):
                began = perf_counter()
                answer = await asked.by(voice, key)
                times.append((perf_counter() - began) * 1000)
                if answer != first or answer[0] != asked.status:
                    found.wrong.append(f"{asked.method} {asked.path}: {answer!s:.300}")


def limits(site: Site, operator: Headers) -> Outcome:
    """What `make faults` tells of them."""
    found = counted(site, site.gateway, operator)
    points, tries = found.total(found.points), found.total(found.tries)
    rows = [
        Row(f"requests that {WEB} workers allowed of a key", points[200], "", f"exactly {LIMIT}", points[200] == LIMIT),
        Row("requests that they refused it", points[429]),
        Row("passwords that they let somebody try", tries[401], "", f"exactly {TRIES}", tries[401] == TRIES),
    ]
    faults = [f"{row.what}: {row.value}, not {row.required}" for row in rows if row.reached is False]
    return Outcome("limits", faults, rows)


def one_key(site: Site, operator: Headers, rounds: int, connections: int) -> Outcome:
    with on_one_core(site) as core:
        found = neighbour(site, operator, rounds, connections, core)
    return Outcome("storm of one key", found.wrong, found.rows())
