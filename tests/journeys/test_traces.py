"""One trace from a request over its statements and events to its jobs and webhooks, as a collector gets it."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest

from tests.factories.carriers import a_carrier, replying
from tests.factories.receivers import Receiver, receiving
from tests.fixtures.collector import Collector, Span, collecting
from tests.fixtures.processes import Process, StartProcess
from tests.journeys.shop import add_mug, place_order, serve, shop_key

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"
EMAIL = "ada@example.com"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


def traced(flags: str, request_id: str = "the-order") -> dict[str, str]:
    return {"traceparent": f"00-{TRACE}-{CALLER}-{flags}", "X-Request-ID": request_id}


def entries(server: Process) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.stderr.splitlines() if line.startswith("{")]


async def a_shop(start: StartProcess, **environment: str) -> tuple[Process, str, dict[str, str]]:
    server, address = await asyncio.to_thread(serve, start, **environment)
    return server, address, await asyncio.to_thread(shop_key, start)


async def end(server: Process) -> None:
    server.send(signal.SIGTERM)
    assert await asyncio.to_thread(server.wait, 20) == 0, server.story


async def finished(client: httpx2.AsyncClient, job: dict[str, Any]) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while job["state"] in ("queued", "running"):
            await asyncio.sleep(0.05)
            job = (await client.get(f"/public/v1/jobs/{job['id']}")).json()
    return job


def below(spans: list[Span], parent: Span, name: str) -> Span:
    (found,) = [span for span in spans if span.parent == parent.id and span.name == name]
    return found


async def test_order_is_one_trace_to_its_webhook(start: StartProcess, collector: Collector, receiver: Receiver) -> None:
    server, address, key = await a_shop(start, PORTICO_OTLP_ENDPOINT=collector.url)
    async with httpx2.AsyncClient(base_url=address, headers=key) as client:
        asked = {"url": receiver.url, "types": ["order.placed"]}
        secret = (await client.post("/public/v1/webhook-endpoints", json=asked)).json()["secret"]
    await asyncio.to_thread(add_mug, address, key)

    await asyncio.to_thread(place_order, address, key | traced("01"), 1)
    await receiver.until(1)
    await asyncio.to_thread(server.until, r'"event":"job_ended".*"request_id":"the-order"', count=2)
    await end(server)

    spans = collector.trace(TRACE)
    (request,) = [span for span in spans if span.parent == CALLER]
    assert (request.name, request.kind) == ("POST /public/v1/orders", "server")
    assert request.values["http.response.status_code"] == 201
    assert request.values["portico.request_id"] == "the-order"
    assert below(spans, request, "INSERT orders").values["db.system.name"] == "sqlite"
    (appended,) = [span for span in spans if span.parent == request.id and span.kind == "producer"]
    assert below(spans, appended, "INSERT events").kind == "client"
    job = below(spans, appended, "job webhook.deliver")
    sent = below(spans, job, "POST webhook")
    assert (job.kind, sent.kind, sent.values["http.response.status_code"]) == ("consumer", "client", 200)
    assert below(spans, request, "job orders.confirmation").values["portico.job.outcome"] == "succeeded"
    (received,) = receiver.requests
    assert received.headers["traceparent"] == f"00-{TRACE}-{sent.id}-01"
    lines = [entry for entry in entries(server) if entry.get("trace_id") == TRACE]
    assert {entry["event"] for entry in lines} == {"request", "job_ended", "webhook_sent"}
    assert {entry["request_id"] for entry in lines} == {"the-order"}
    for kept in (EMAIL, secret, key["Authorization"].removeprefix("Bearer ")):
        assert kept.encode() not in collector.bytes
    assert collector.paths == {"/v1/traces"}
    assert {each["service.name"] for each in collector.resources} == {"portico"}


async def test_job_in_a_process_of_its_own_is_a_part_of_the_trace(start: StartProcess, collector: Collector) -> None:
    server, address, key = await a_shop(start, PORTICO_OTLP_ENDPOINT=collector.url)
    line = json.dumps(
        {"handle": "mug", "title": "Mug", "variants": [{"sku": "MUG", "price": {"amount": 250, "currency": "USD"}}]}
    )
    headers = key | traced("01", "the-import") | {"Content-Type": "application/x-ndjson"}

    async with httpx2.AsyncClient(base_url=address, headers=key, timeout=20) as client:
        asked = await client.post("/public/v1/products/import", content=line, headers=headers)
        assert asked.status_code == 202, asked.text
        job = await finished(client, asked.json())
    await end(server)

    assert job["state"] == "succeeded"
    spans = collector.trace(TRACE)
    (request,) = [span for span in spans if span.parent == CALLER]
    outer = below(spans, request, "job catalog.import")
    inner = below(spans, outer, "job in its own process")
    assert {span.parent for span in spans if span.name == "INSERT products"} == {inner.id}


async def test_read_whose_statement_goes_past_sqlalchemy_is_traced_with_it(
    start: StartProcess, collector: Collector
) -> None:
    server, address = await asyncio.to_thread(serve, start, PORTICO_OTLP_ENDPOINT=collector.url)

    answer = await asyncio.to_thread(
        httpx2.get, f"{address}/public/v1/products?q=secret&sort=-price", headers=traced("01")
    )
    await end(server)

    assert answer.status_code == 200
    (request,) = [span for span in collector.trace(TRACE) if span.parent == CALLER]
    assert request.name == "GET /public/v1/products"
    asked = [span for span in collector.trace(TRACE) if span.parent == request.id]
    assert {(span.kind, span.values["db.operation.name"]) for span in asked} == {("client", "SELECT")}
    assert b"secret" not in collector.bytes


async def test_carriers_are_parts_of_the_trace_and_are_sent_it(start: StartProcess, collector: Collector) -> None:
    async with a_carrier() as good, a_carrier() as bad:
        bad.behave = replying(b"", 404)
        configured = [{"name": "good", "url": f"{good.url}?key=hunter2"}, {"name": "bad", "url": bad.url}]
        traces = {"PORTICO_OTLP_ENDPOINT": collector.url, "PORTICO_CARRIERS": json.dumps(configured)}
        server, address, key = await a_shop(start, **traces)
        await asyncio.to_thread(add_mug, address, key)
        body = {"lines": [{"sku": "MUG", "quantity": 1}], "destination": {"country": "US"}}
        async with httpx2.AsyncClient(base_url=address, headers=key | traced("01")) as client:
            quoted = await client.post("/public/v1/shipping-quotes", json=body)
        await end(server)

    assert quoted.status_code == 201, quoted.text
    spans = collector.trace(TRACE)
    (request,) = [span for span in spans if span.parent == CALLER]
    asked = {span.values["portico.upstream"]: span for span in spans if span.name == "POST upstream"}
    assert {(span.kind, span.parent, span.values["server.address"]) for span in asked.values()} == {
        ("client", request.id, "127.0.0.1")
    }
    assert (asked["good"].failed, asked["good"].values["http.response.status_code"]) == (False, 200)
    assert (asked["bad"].failed, asked["bad"].values["http.response.status_code"]) == (True, 404)
    assert asked["bad"].values["error.type"] == "refused"
    for carrier, name in ((good, "good"), (bad, "bad")):
        ((headers, _),) = carrier.asked
        assert headers["traceparent"] == f"00-{TRACE}-{asked[name].id}-01"
    assert b"hunter2" not in collector.bytes


async def test_caller_that_is_not_sampled_is_not_traced_and_its_ids_go_on(
    start: StartProcess, collector: Collector, receiver: Receiver
) -> None:
    server, address, key = await a_shop(start, PORTICO_OTLP_ENDPOINT=collector.url)
    async with httpx2.AsyncClient(base_url=address, headers=key) as client:
        asked = {"url": receiver.url, "types": ["order.placed"]}
        assert (await client.post("/public/v1/webhook-endpoints", json=asked)).status_code == 201
    await asyncio.to_thread(add_mug, address, key)

    await asyncio.to_thread(place_order, address, key | traced("00"), 1)
    await receiver.until(1)
    await end(server)

    assert collector.spans
    assert collector.trace(TRACE) == []
    (received,) = receiver.requests
    assert received.headers["traceparent"].startswith(f"00-{TRACE}-")
    assert received.headers["traceparent"].endswith("-00")


async def test_collector_that_is_away_fails_no_request_and_holds_up_no_end(start: StartProcess, free_port: int) -> None:
    server, address, key = await a_shop(start, PORTICO_OTLP_ENDPOINT=f"http://127.0.0.1:{free_port}")

    await asyncio.to_thread(add_mug, address, key)
    answer = await asyncio.to_thread(httpx2.get, f"{address}/public/v1/products")
    await end(server)

    assert (answer.status_code, answer.json()["total"]) == (200, 1)
