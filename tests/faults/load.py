"""A busy hour at the shop, in a process of its own: customers order, visitors read, clients follow, until SIGTERM. Then
each customer waits for its last answer and each client for the last event, and what they were told is written down.
"""

import asyncio
import itertools
import json
import os
import random
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import httpx2

from tests.faults.journal import Followed, Journal, Order
from tests.fixtures.followers import (
    Follower,
    SocketFollower,
    StreamFollower,
    SubscriptionFollower,
    SubscriptionStreamFollower,
)

SKUS = ("CUP", "BOWL", "PLATE", "JUG")
SCARCE = "VASE"
EVENTS = ("order.placed", "order.cancelled")
PLACED = "placed\n"  # is printed for each order
_PATIENCE = 240  # seconds: whoever waits longer is not served; a busy machine takes two minutes to start a gunicorn
_AGAIN_SECONDS = 0.2
_MOST_AGAIN_SECONDS = 1.0
_PAUSE = 0.25
_LATE_SECONDS = 2.0
_QUERY = "{ products(first: 5) { nodes { id title variants { sku available } } } }"
Finals = frozenset[int | str]  # statuses and codes after which nobody asks again
_FOUND: Finals = frozenset({200})
_PLACED: Finals = frozenset({201})
_PLACED_OR_GONE: Finals = frozenset({201, "out_of_stock"})
_AWAY = {"database_unavailable", "overloaded"}


@dataclass(frozen=True, slots=True)
class Plan:
    """`name` is nobody else's. Customers, visitors and followers of each kind are at each address."""

    name: str
    addresses: list[str]
    key: str
    cursor: str
    result: str
    customers: int = 4
    visitors: int = 2
    followers: int = 3
    core: int | None = None
    timeout_seconds: float = 15.0  # of a client for one answer

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def json(self) -> str:
        return json.dumps(asdict(self))


class Arrivals(list[str]):
    """Ids, and when each came."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def append(self, each: str) -> None:
        super().append(each)
        self.times.append(monotonic())


class Asking:
    """At one address, whose place in the plan is in what it counts; each request on a connection of its own, as behind
    a balancer that spreads them.
    """

    def __init__(self, place: int, plan: Plan, journal: Journal) -> None:
        self._place = place
        self._journal = journal
        self._client = httpx2.AsyncClient(
            base_url=plan.addresses[place],
            headers=plan.headers,
            timeout=plan.timeout_seconds,
            limits=httpx2.Limits(max_keepalive_connections=0),
            trust_env=False,
        )

    async def ask(self, kind: str, method: str, path: str, finals: Finals, **what: Any) -> httpx2.Response | float:
        """The answer, or after how many seconds to come back."""
        try:
            answer = await self._client.request(method, path, **what)
        except httpx2.TransportError as error:
            self._journal.breaks.append(f"{method} {path}: {error!r}")
            self._journal.count(f"{kind} at {self._place}", "broken")
            return _AGAIN_SECONDS
        codes = _codes(answer)
        if finals & {answer.status_code, *codes} and (answer.status_code >= 400 or not codes):
            self._journal.count(f"{kind} at {self._place}", "answered")
            return answer
        if is_documented(answer.status_code, answer.headers, codes):
            self._journal.count(f"{kind} at {self._place}", "refused")
            return min(float(answer.headers.get("retry-after", 1)), _MOST_AGAIN_SECONDS)
        self._journal.count(f"{kind} at {self._place}", "wrong")
        self._journal.wrong.append(f"{method} {path}: {answer.status_code} {answer.text[:400]}")
        return _MOST_AGAIN_SECONDS

    async def insist(self, kind: str, path: str, key: str, finals: Finals, body: Any = None) -> httpx2.Response | None:
        """As a good client does: again, with the same key, until it is answered. None: it never was."""
        until = monotonic() + _PATIENCE
        while monotonic() < until:
            found = await self.ask(kind, "POST", path, finals, json=body, headers={"Idempotency-Key": key})
            if not isinstance(found, float):
                return found
            await asyncio.sleep(found)
        self._journal.wrong.append(f"POST {path}: no answer in {_PATIENCE} s")
        return None

    async def close(self) -> None:
        await self._client.aclose()


def _codes(answer: httpx2.Response) -> set[str]:
    """Of a problem, or of the errors in an answer of GraphQL."""
    kind = answer.headers.get("content-type", "")
    if kind.startswith("application/problem+json"):
        return {answer.json()["code"]}
    if kind.startswith("application/json") and b'"errors"' in answer.content:
        return {each["extensions"]["code"] for each in answer.json()["errors"]}
    return set()


def is_documented(status: int, headers: Mapping[str, str], codes: set[str]) -> bool:
    """A refusal that says when to come back; GraphQL's says it by its code."""
    if status == 409:
        return codes == {"idempotency_in_progress"}
    if status in (503, 429):
        return "retry-after" in headers
    return status == 200 and bool(codes) and codes <= _AWAY


class Customer:
    """Orders one thing after the other, cancels some, asks for some again as if the answer had been lost, and now and
    then wants what is nearly gone.
    """

    def __init__(self, name: str, asking: Asking, journal: Journal) -> None:
        self._name = name
        self._asking = asking
        self._journal = journal
        self._random = random.Random(name)  # noqa: S311  no secret

    async def shop(self, stop: asyncio.Event) -> None:
        for number in itertools.count():
            if stop.is_set():
                return
            await self._order(f"{self._name}-{number}", number)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._random.uniform(0.5, 1.5) * _PAUSE)

    async def _order(self, key: str, number: int) -> None:
        sku = SCARCE if number % 10 == 5 else self._random.choice(SKUS)
        order = Order(f"{key}@example.com", "", sku, 1 + number % 3, 0)
        body = {"lines": [{"sku": sku, "quantity": order.quantity}], "email": order.email}
        finals = _PLACED_OR_GONE if sku == SCARCE else _PLACED
        answer = await self._asking.insist("orders", "/public/v1/orders", key, finals, body)
        if answer is None or answer.status_code != 201:
            return
        order.id, order.at = answer.json()["id"], monotonic()
        self._journal.orders.append(order)
        sys.stdout.write(PLACED)
        sys.stdout.flush()
        if number % 5 == 1:
            await self._asking.insist("orders", "/public/v1/orders", key, finals, body)
        if number % 5 == 3:
            path = f"/public/v1/orders/{order.id}/cancel"
            order.cancelled = await self._asking.insist("orders", path, f"{key}-cancel", _FOUND) is not None


class Visitor:
    """Looks around."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    async def look(self, stop: asyncio.Event) -> None:
        pages = ("/public/v1/products", "/public/v2/products?limit=5", "/public/v1/orders?size=5")
        for number in itertools.count():
            if stop.is_set():
                return
            if number % 4 == 3:
                await self._asking.ask("reads", "POST", "/graphql", _FOUND, json={"query": _QUERY})
            else:
                await self._asking.ask("reads", "GET", pages[number % 4], _FOUND)
            await asyncio.sleep(_PAUSE)


class Load:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._journal = Journal()
        self._askings = [Asking(place, plan, self._journal) for place in range(len(plan.addresses))]
        self._followers = [follower for address in plan.addresses for follower in self._followers_at(address)]

    def _followers_at(self, address: str) -> list[Follower]:
        kinds: tuple[type[Follower], ...] = (
            *(SocketFollower, StreamFollower),
            *(SubscriptionFollower, SubscriptionStreamFollower),
        )
        found: list[Follower] = []
        for number, kind in enumerate(kinds * self._plan.followers):
            follower = kind(address, self._plan.headers, self._plan.cursor)
            if number >= len(kinds):  # so that there is something to catch up with
                follower.again_seconds = _LATE_SECONDS
            follower.ids = Arrivals()
            if isinstance(follower, SocketFollower):
                follower.channel = "orders"
            if isinstance(follower, StreamFollower):
                follower.query = f"?types={','.join(EVENTS)}"
            found.append(follower)
        return found

    async def run(self) -> None:
        stop = asyncio.Event()
        for each_signal in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(each_signal, stop.set)
        async with asyncio.TaskGroup() as group:
            following = [group.create_task(self._follow(each)) for each in self._followers]
            for each in self._followers:
                async with asyncio.timeout(_PATIENCE):
                    await each.open.wait()
            async with asyncio.TaskGroup() as people:
                for place, asking in enumerate(self._askings):
                    for number in range(self._plan.customers):
                        customer = Customer(f"{self._plan.name}-{place}-{number}", asking, self._journal)
                        people.create_task(customer.shop(stop))
                    for _ in range(self._plan.visitors):
                        people.create_task(Visitor(asking).look(stop))
            await self._all_heard()
            for task in following:
                task.cancel()
        for asking in self._askings:
            await asking.close()
        self._journal.followed = [_followed(each) for each in self._followers]
        self._journal.write(Path(self._plan.result))

    async def _follow(self, follower: Follower) -> None:
        while True:
            try:
                await follower.follow()
            except AssertionError as error:  # it was sent what no client knows
                self._journal.wrong.append(f"{type(follower).__name__}: {error!s:.400}")
                await asyncio.sleep(_AGAIN_SECONDS)

    async def _all_heard(self) -> None:
        """Or not in good time: that the checker finds."""
        events = sum(1 + order.cancelled for order in self._journal.orders)
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                while any(len(each.ids) < events for each in self._followers):  # noqa: ASYNC110  others append
                    await asyncio.sleep(0.05)


def _followed(follower: Follower) -> Followed:
    arrivals = follower.ids
    assert isinstance(arrivals, Arrivals)
    return Followed(type(follower).__name__, list(arrivals), arrivals.times, follower.told, follower.broken)


def main() -> None:
    plan = Plan(**json.loads(sys.argv[1]))
    if plan.core is not None:
        os.sched_setaffinity(0, {plan.core})
    asyncio.run(Load(plan).run())


if __name__ == "__main__":
    main()
