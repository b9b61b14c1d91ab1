"""Shipping quotes over REST, with carriers that are real servers."""

import asyncio
import json
import re
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from prometheus_client import REGISTRY

from commerce.orders.commands import OrderLine
from commerce.shipping.commands import QuoteShipping
from commerce.shipping.quoting import ask_carriers
from core.budget import WRITE_POINTS
from core.resources import Resources
from core.upstream.calls import Reply, UpstreamFailed
from core.upstream.upstreams import Upstreams, nobody
from tests.factories.carriers import Behave, an_option, cutting, offering, replying
from tests.fixtures.application import LogEntries
from tests.fixtures.asgi import Served, exchange
from tests.fixtures.probes import read_error
from tests.public_api.shipping.conftest import QUOTES, SECRET, Asking, Carriers


def counted(carrier: str, outcome: str) -> float:
    labels = {"upstream": carrier, "outcome": outcome}
    return REGISTRY.get_sample_value("portico_upstream_requests_total", labels) or 0


async def test_quote_has_a_part_for_each_carrier_and_ids_for_its_options(asking: Asking, carriers: Carriers) -> None:
    carriers.fast.behave = offering(an_option("air", 2500, days={"min": 1, "max": 2}), an_option("road", 900))
    carriers.slow.behave = replying(b'{"options": []}')

    response = await asking.send()

    quote = response.json()
    assert response.status_code == 201
    assert response.headers["cache-control"] == "private, no-store"
    assert re.fullmatch(r"quote_[0-9a-z]{26}", quote["id"])
    assert quote["weight_grams"] == 1200
    assert [(part["carrier"], part["status"], part["age_seconds"]) for part in quote["parts"]] == [
        ("fast", "ok", None),
        ("slow", "ok", None),
        ("table", "ok", None),
    ]
    assert quote["parts"][0]["options"] == [
        {
            "id": f"{quote['id']}-1",
            "code": "air",
            "service": "Air",
            "price": {"amount": 2500, "currency": "USD"},
            "days": {"min": 1, "max": 2},
        },
        {
            "id": f"{quote['id']}-2",
            "code": "road",
            "service": "Road",
            "price": {"amount": 900, "currency": "USD"},
            "days": None,
        },
    ]
    assert [option["id"][-2:] for option in quote["parts"][2]["options"]] == ["-3", "-4"]
    headers, asked = carriers.fast.asked[0]
    assert headers["authorization"] == f"Bearer {SECRET}"
    assert asked == {
        "currency": "USD",
        "destination": {"country": "US", "postal_code": "94105"},
        "weight_grams": 1200,
    }


async def test_all_carriers_are_asked_at_once(asking: Asking, carriers: Carriers) -> None:
    carriers.fast.behave, carriers.slow.behave = carriers.fast.waiting, carriers.slow.waiting
    quoting = asyncio.create_task(asking.statuses())

    await carriers.fast.reached.wait()
    await carriers.slow.reached.wait()
    carriers.fast.released.set()
    carriers.slow.released.set()

    assert await quoting == {"fast": "ok", "slow": "ok", "table": "ok"}


@pytest.mark.parametrize("quote_seconds", [0.2])
async def test_one_deadline_holds_for_all_together_and_none_is_left_running(asking: Asking, carriers: Carriers) -> None:
    carriers.fast.behave, carriers.slow.behave = carriers.fast.holding, carriers.slow.holding

    statuses = await asking.statuses()

    assert statuses == {"fast": "timeout", "slow": "timeout", "table": "ok"}
    await carriers.fast.left.wait()
    await carriers.slow.left.wait()


class Recorder(Upstreams):
    """Asks nobody, and keeps until when it would have waited."""

    def __init__(self) -> None:
        super().__init__((), nobody)
        self.deadlines: list[float] = []

    async def ask(self, *_: Any, deadline: float) -> Reply[Any]:
        self.deadlines.append(deadline)
        raise UpstreamFailed("timeout", "")


async def test_all_parts_have_the_same_deadline(asking: Asking, resources: Resources) -> None:
    recorder, loop = Recorder(), asyncio.get_running_loop()
    command = QuoteShipping((OrderLine(1, asking.variant),), "US")
    began = loop.time()

    asked = await ask_carriers(replace(resources, upstreams=recorder), command)

    assert [part.status for part in asked.parts] == ["timeout", "timeout", "ok"]
    first, second = recorder.deadlines
    assert first == second
    assert began <= first - resources.settings.shop.quote_seconds <= loop.time()


@pytest.mark.parametrize("slow_seconds", [0.2])
async def test_late_carrier_keeps_nobody_elses_part(asking: Asking, carriers: Carriers) -> None:
    carriers.slow.behave = carriers.slow.holding
    before = counted("slow", "timeout")

    assert await asking.statuses() == {"fast": "ok", "slow": "timeout", "table": "ok"}

    await carriers.slow.left.wait()
    assert counted("slow", "timeout") == before + 1


@pytest.mark.parametrize(
    ("behave", "outcome"),
    [
        (replying(b"", 500), "failed"),
        (cutting, "failed"),
        (replying(b'{"options": ['), "broken"),
        (replying(b"<html>Sign in</html>", Content_Type="text/html"), "broken"),
        (offering(an_option(amount=-1)), "broken"),
        (offering(an_option(amount=1_000_001)), "broken"),
        (offering(an_option(amount="900")), "broken"),
        (offering(an_option(amount=float("nan"))), "broken"),
        (offering(an_option("good"), an_option("bad", currency="EUR")), "broken"),
        (replying(b" " * 70_000), "broken"),
        (replying(b"", 401), "refused"),
    ],
)
async def test_broken_and_lying_carriers_are_skipped_counted_and_not_shown(
    asking: Asking, carriers: Carriers, behave: Behave, outcome: str
) -> None:
    carriers.slow.behave = behave
    before = counted("slow", outcome)

    quote = await asking.quote()

    part = quote["parts"][1]
    assert (part["carrier"], part["status"], part["options"]) == ("slow", "skipped", [])
    assert counted("slow", outcome) > before


async def test_endless_answer_is_cut(asking: Asking, carriers: Carriers) -> None:
    carriers.slow.behave = carriers.slow.endless

    assert await asking.statuses() == {"fast": "ok", "slow": "skipped", "table": "ok"}

    await carriers.slow.left.wait()


@pytest.mark.parametrize("slow_seconds", [0.5])
async def test_last_good_answer_is_given_for_a_late_one_and_marked(asking: Asking, carriers: Carriers) -> None:
    carriers.slow.behave = offering(an_option("sea", 300))
    fresh = (await asking.quote())["parts"][1]
    assert fresh["status"] == "ok"
    carriers.slow.behave = carriers.slow.holding

    stale = (await asking.quote())["parts"][1]
    other = (await asking.quote(asking.body(3)))["parts"][1]

    assert (stale["status"], stale["options"][0]["price"]["amount"]) == ("stale", 300)
    assert stale["age_seconds"] >= 0
    assert (other["status"], other["options"]) == ("timeout", [])


async def test_table_answers_with_all_carriers_down(asking: Asking, carriers: Carriers) -> None:
    carriers.fast.behave = carriers.slow.behave = cutting

    assert await asking.statuses() == {"fast": "skipped", "slow": "skipped", "table": "ok"}


async def until_waiting(resources: Resources, count: int) -> None:
    """Until so many wait for carriers."""
    while sum(flight.waiting for flight in resources.flights._running.values()) < count:  # noqa: ASYNC110
        await asyncio.sleep(0)


async def test_equal_questions_at_once_are_asked_once_and_answered_each(
    asking: Asking, carriers: Carriers, resources: Resources
) -> None:
    carriers.fast.behave = carriers.fast.waiting
    same = [asking.body(), asking.body(postal_code=" 94105 "), asking.body(country="us")]
    quoting = [asyncio.create_task(asking.quote(sent)) for sent in same]
    other = asyncio.create_task(asking.quote(asking.body(3)))
    await until_waiting(resources, 4)

    carriers.fast.released.set()

    quotes = await asyncio.gather(*quoting, other)
    assert len({quote["id"] for quote in quotes}) == 4
    assert sorted(asked["weight_grams"] for _, asked in carriers.fast.asked) == [1200, 1800]


async def leaving(served: Served, asking: Asking, left: asyncio.Event) -> None:
    body = json.dumps(asking.body()).encode()
    headers = [*asking.headers.items(), ("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    await exchange(served, "POST", QUOTES, headers, chunks=[body], left=left)


async def test_client_that_leaves_ends_the_calls_of_its_quote(
    served: Served, asking: Asking, carriers: Carriers, resources: Resources
) -> None:
    carriers.fast.behave, carriers.slow.behave = carriers.fast.holding, carriers.slow.holding
    before, left = counted("fast", "cancelled"), asyncio.Event()
    gone = asyncio.create_task(leaving(served, asking, left))
    await carriers.fast.reached.wait()
    await carriers.slow.reached.wait()

    left.set()

    await gone
    await carriers.fast.left.wait()
    await carriers.slow.left.wait()
    await resources.flights.settle()
    assert counted("fast", "cancelled") == before + 1


async def test_client_that_leaves_takes_nothing_from_one_who_asks_the_same(
    served: Served, asking: Asking, carriers: Carriers, resources: Resources
) -> None:
    carriers.fast.behave = carriers.fast.waiting
    left = asyncio.Event()
    gone = asyncio.create_task(leaving(served, asking, left))
    await carriers.fast.reached.wait()
    staying = asyncio.create_task(asking.statuses())
    await until_waiting(resources, 2)

    left.set()
    await gone
    carriers.fast.released.set()

    assert await staying == {"fast": "ok", "slow": "ok", "table": "ok"}
    assert len(carriers.fast.asked) == 1


async def test_quote_under_a_key_is_made_once(asking: Asking) -> None:
    first = await asking.send(**{"Idempotency-Key": "mine"})
    again = await asking.send(**{"Idempotency-Key": "mine"})
    other = await asking.send(asking.body(3), **{"Idempotency-Key": "mine"})

    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert (other.status_code, read_error("v1", other).code) == (422, "idempotency_key_reused")


async def test_receipt_says_how_long_each_carrier_took(
    asking: Asking, carriers: Carriers, operator: dict[str, str]
) -> None:
    carriers.fast.behave, carriers.slow.behave = replying(b"", 503), carriers.slow.waiting
    quoting = asyncio.create_task(asking.send(**{"X-Request-ID": "quoting"}))
    await carriers.slow.reached.wait()
    carriers.slow.released.set()
    await quoting

    answer = await asking.client.get("/internal/receipts/quoting", headers=operator)

    (receipt,) = answer.json()["items"]
    fast, slow = receipt["upstreams"]
    assert (fast["name"], fast["count"], slow["name"], slow["count"]) == ("fast", 2, "slow", 1)
    assert 0 < fast["ms"] < receipt["total_ms"]
    assert 0 < slow["ms"] < receipt["total_ms"]


@pytest.mark.parametrize(
    ("changes", "code", "pointer"),
    [
        ({"lines": []}, "invalid_request", "/lines"),
        ({"lines": [{"sku": "JKT", "quantity": 0}]}, "invalid_request", "/lines/0/quantity"),
        ({"lines": [{"quantity": 1}]}, "invalid_request", "/lines/0"),
        ({"lines": [{"sku": "NONE", "quantity": 1}]}, "unknown_variant", "/lines/0/sku"),
        ({"lines": [{"sku": "JKT", "quantity": 6000}] * 2}, "invalid_request", "/lines/1/quantity"),
        ({"destination": {"country": "USA"}}, "invalid_request", "/destination/country"),
        ({"destination": {}}, "invalid_request", "/destination/country"),
        ({"destination": {"country": "US", "postal_code": "\0"}}, "invalid_request", "/destination/postal_code"),
        ({"destination": {"country": "US", "postal_code": "1" * 17}}, "invalid_request", "/destination/postal_code"),
        ({"destination": {"country": "US", "city": "X"}}, "invalid_request", "/destination/city"),
        ({"more": 1}, "invalid_request", "/more"),
    ],
)
async def test_question_that_breaks_a_rule_is_refused_before_anybody_is_asked(
    asking: Asking, carriers: Carriers, changes: dict[str, Any], code: str, pointer: str
) -> None:
    response = await asking.send(asking.body() | changes)

    assert response.status_code == 422
    assert read_error("v1", response).code == code
    assert [fault["pointer"] for fault in response.json()["errors"]] == [pointer]
    assert carriers.fast.asked == []


async def test_quote_costs_what_a_write_costs(asking: Asking, resources: Resources) -> None:
    def left(response: httpx2.Response) -> int:
        found = re.search(r"r=(\d+)", response.headers["ratelimit"])
        assert found is not None
        return int(found[1])

    before = left(await asking.client.get("/public/v1/orders", headers=asking.headers))
    after = left(await asking.send())

    # Points come back as time goes by.
    per_second = resources.budget.limit.amount / resources.budget.limit.seconds
    assert before - after <= WRITE_POINTS
    assert before - after > WRITE_POINTS - 10 * per_second


async def test_no_secret_of_a_carrier_is_logged_or_answered(
    asking: Asking, carriers: Carriers, log_entries: LogEntries
) -> None:
    answers = []
    for behave in (offering(), replying(b"", 500), cutting, replying(b"<html>")):
        carriers.fast.behave = carriers.slow.behave = behave
        answers.append((await asking.send(asking.body(3))).text)
        answers.append((await asking.send(asking.body(4))).text)

    assert SECRET in carriers.fast.asked[0][0]["authorization"]
    assert any(entry["event"] == "upstream_failed" for entry in log_entries)
    assert SECRET not in str(log_entries)
    assert SECRET not in "".join(answers)
