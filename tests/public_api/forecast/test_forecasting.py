"""Forecasts over HTTP: trained from real rows, for those who may, by last week's values where nothing better is."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx2
import numpy as np
import pytest

from commerce.catalog.entities import Product
from commerce.forecast import evaluation
from commerce.forecast.evaluation import Score
from commerce.forecast.history import History
from commerce.forecast.serving import FORECAST
from commerce.training.trainers import KINDS, Outcome, train
from core.inference.artifacts import Trained
from core.inference.serving import Serving
from core.resources import Resources
from tests.factories.clocks import FakeClock
from tests.factories.model_files import tensors
from tests.factories.order_rows import OrderRows, line
from tests.factories.people import staff
from tests.factories.statements import recorded
from tests.fixtures.application import LogEntries, key_with

Shop = dict[str, Product]
PATH = "/public/v1/products/{}/forecast"
PREDICT = "/public/v1/predict"
SAID = ("model", "features_as_of", "fallback", "fallback_reason")
WEEKDAY_UNITS = (2, 2, 2, 2, 4, 9, 2)  # Monday first


@pytest.fixture
async def serving(resources: Resources) -> AsyncIterator[Serving[Any]]:
    for kind in KINDS.values():
        resources.models.serving(kind)
    async with resources.models:
        yield resources.models.serving(FORECAST)


@pytest.fixture
async def reader(resources: Resources) -> dict[str, str]:
    return await key_with(resources, "reports:read")


async def sell(resources: Resources, shop: Shop, days: int = 42) -> OrderRows:
    """`tent` by the weekday and by chance; `wool-cap` now and then."""
    orders, random = OrderRows(resources.database), np.random.default_rng(3)
    for ago in range(1, days + 1):
        at = resources.clock.now() - timedelta(days=ago)
        units = int(random.poisson(WEEKDAY_UNITS[at.weekday()])) or 1
        lines = [line(product_id=shop["tent"].head.id, quantity=units)]
        if ago % 9 == 0:
            lines.append(line(product_id=shop["wool-cap"].head.id))
        await orders.add(*lines, placed_at=at)
        await orders.add(line(product_id=shop["tent"].head.id, quantity=90), placed_at=at, state="cancelled")
    return orders


async def trained(resources: Resources, serving: Serving[Any], **options: Any) -> Outcome:
    """Loaded, too."""
    outcome = await train(resources, "forecast", **options)
    await resources.models.look()
    assert [each.model for each in outcome.published] == ["forecast-baseline", "forecast"], outcome.refusal
    assert serving.version == outcome.published[1].version
    return outcome


async def asked(client: httpx2.AsyncClient, headers: dict[str, str], named: str, **query: Any) -> dict[str, Any]:
    response = await client.get(PATH.format(named), params=query, headers=headers)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


async def test_forecast_is_by_day_with_an_interval_and_all_that_is_known_of_the_model(
    client: httpx2.AsyncClient, resources: Resources, serving: Serving[Any], shop: Shop, reader: dict[str, str]
) -> None:
    await sell(resources, shop)
    manifest = (await trained(resources, serving)).published[1]

    body = await asked(client, reader, "tent", days=14)

    assert body["answer_id"].startswith("ans_")
    assert (body["model"], body["version"], body["content_hash"]) == (
        "forecast",
        manifest.version,
        manifest.content_hash,
    )
    assert (body["fallback"], body["fallback_reason"], body["basis"]) == (False, None, "product")
    today = resources.clock.now().date()
    assert body["features_as_of"] == f"{today - timedelta(days=1)}T00:00:00Z"
    assert [each["date"] for each in body["items"]] == [str(today + timedelta(days=ahead)) for ahead in range(1, 15)]
    assert all(0 <= each["p10"] <= each["p50"] <= each["p90"] for each in body["items"])
    by_weekday = {(today + timedelta(days=1 + at)).weekday(): each for at, each in enumerate(body["items"])}
    assert by_weekday[5]["mean"] > 1.5 * by_weekday[1]["mean"]  # Saturdays
    assert 1 < by_weekday[1]["p50"] < 5  # what was cancelled does not count
    assert manifest.metrics["pinball"] <= 1.05 * manifest.metrics["baseline_pinball"]
    assert (manifest.metrics["products"], manifest.parameters["algorithm"]) == (2, "seasonal")


async def test_one_statement_is_sent_for_one_product_and_for_many(
    client: httpx2.AsyncClient, resources: Resources, serving: Serving[Any], shop: Shop, reader: dict[str, str]
) -> None:
    await sell(resources, shop)
    await trained(resources, serving)
    items = [{"product_id": shop[each].head.id, "days": 3} for each in ("tent", "wool-cap", "rain-poncho", "tent")]

    with recorded(resources.database.reader) as one:
        await asked(client, reader, shop["tent"].head.id, days=3)
    with recorded(resources.database.reader) as many:
        response = await client.post(PREDICT, json={"items": items}, headers=reader)

    known = [sent for sent in one if "products" in sent], [sent for sent in many if "products" in sent]
    assert [len(each) for each in known] == [1, 1]
    assert "order_lines" not in "".join([*one, *many])
    body = response.json()
    assert [each["product_id"] for each in body["items"]] == [each["product_id"] for each in items]
    assert [each["basis"] for each in body["items"]] == ["product", "product", "shop", "product"]
    alone = await asked(client, reader, "tent", days=3)
    assert body["items"][0]["days"] == alone["items"]
    assert body["version"] == alone["version"]


async def test_batch_with_products_that_are_not_there_is_refused_with_their_places(
    client: httpx2.AsyncClient, resources: Resources, serving: Serving[Any], shop: Shop, reader: dict[str, str]
) -> None:
    await sell(resources, shop)
    await trained(resources, serving)
    ids = ["prod_none", shop["tent"].head.id, "\x00"]

    response = await client.post(PREDICT, json={"items": [{"product_id": each} for each in ids]}, headers=reader)

    body = response.json()
    assert (response.status_code, body["code"]) == (422, "unknown_product")
    assert [fault["pointer"] for fault in body["errors"]] == ["/items/0/product_id", "/items/2/product_id"]


@pytest.mark.parametrize(
    "body",
    [
        {"items": []},
        {"items": [{"product_id": "prod_1"}] * 201},
        {"items": [{"product_id": "prod_1", "days": 91}]},
        {"items": [{"product_id": "prod_1", "days": 0}]},
        {"items": [{"product_id": "prod_1", "days": "3"}]},
        {"items": [{"product_id": "prod_1", "more": 1}]},
        {},
    ],
)
async def test_batch_out_of_bounds_is_refused(
    client: httpx2.AsyncClient, reader: dict[str, str], body: dict[str, Any]
) -> None:
    response = await client.post(PREDICT, json=body, headers=reader)

    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize("days", ["0", "91", "x"])
async def test_days_out_of_bounds_are_refused(
    client: httpx2.AsyncClient, shop: Shop, reader: dict[str, str], days: str
) -> None:
    response = await client.get(PATH.format(shop["tent"].head.id), params={"days": days}, headers=reader)

    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")


async def test_demand_is_for_staff_and_for_keys_with_the_scope(
    client: httpx2.AsyncClient, resources: Resources, serving: Serving[Any], shop: Shop, reader: dict[str, str]
) -> None:
    await sell(resources, shop)
    await trained(resources, serving)
    other = await key_with(resources, "catalog:read", "catalog:write", "orders:read", "orders:write", "events:read")
    body = {"items": [{"product_id": shop["tent"].head.id}]}

    for headers, status, code in (
        ({}, 401, "unauthenticated"),
        (other, 403, "missing_scope"),
        (await staff(resources), 401, "unauthenticated"),  # a token of the other door
        (reader, 200, None),
    ):
        one = await client.get(PATH.format("tent"), headers=headers)
        many = await client.post(PREDICT, json=body, headers=headers)
        assert [one.status_code, many.status_code] == [status, status]
        assert [one.json().get("code"), many.json().get("code")] == [code, code]


async def test_unknown_product_is_not_found(client: httpx2.AsyncClient, reader: dict[str, str]) -> None:
    for named in ("nothing", "prod_nothing", "%00"):
        response = await client.get(PATH.format(named), headers=reader)
        assert (response.status_code, response.json()["code"]) == (404, "product_not_found")


async def test_shop_that_trained_nothing_is_answered_from_its_orders_until_yesterday(
    client: httpx2.AsyncClient, resources: Resources, serving: Serving[Any], shop: Shop, reader: dict[str, str]
) -> None:
    orders = await sell(resources, shop, days=20)
    await orders.add(line(product_id=shop["tent"].head.id, quantity=500))  # today
    items = [{"product_id": shop[each].head.id, "days": 7} for each in ("tent", "wool-cap", "tent")]

    with recorded(resources.database.reports) as for_one:
        await client.post(PREDICT, json={"items": items[:1]}, headers=reader)
    with recorded(resources.database.reports) as for_all:
        untrained = (await client.post(PREDICT, json={"items": items}, headers=reader)).json()
    assert len(for_one) == len(for_all)
    await train(resources, "forecast")
    await resources.models.look()
    trained = (await client.post(PREDICT, json={"items": items}, headers=reader)).json()

    assert serving.current() is None
    assert untrained["items"] == trained["items"]
    assert any(day["mean"] > 1 for day in untrained["items"][0]["days"])
    assert [untrained[name] for name in SAID] == [trained[name] for name in SAID]
    assert untrained["trained_at"] < trained["trained_at"]


async def test_shop_without_orders_expects_none(
    client: httpx2.AsyncClient, serving: Serving[Any], reader: dict[str, str]
) -> None:
    assert serving.current() is None

    body = await asked(client, reader, "tent", days=3)

    assert (body["model"], body["fallback"], body["fallback_reason"]) == ("forecast-baseline", True, "no_model")
    assert [(day["mean"], day["p10"], day["p90"]) for day in body["items"]] == [(0, 0, 0)] * 3


async def test_shop_with_a_short_history_is_answered_by_last_week(
    client: httpx2.AsyncClient, resources: Resources, serving: Serving[Any], shop: Shop, reader: dict[str, str]
) -> None:
    await sell(resources, shop, days=10)
    outcome = await train(resources, "forecast")
    await resources.models.look()

    body = await asked(client, reader, "tent", days=3)

    assert [each.model for each in outcome.published] == ["forecast-baseline"]
    assert outcome.refusal == "10 days of orders are too few: it takes 28"
    assert (body["model"], body["fallback"], body["fallback_reason"]) == ("forecast-baseline", True, "no_model")
    assert serving.current() is None


async def test_model_that_is_worse_than_last_week_is_not_published_and_last_week_answers(
    client: httpx2.AsyncClient,
    resources: Resources,
    serving: Serving[Any],
    shop: Shop,
    reader: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await sell(resources, shop)
    calls: list[int] = []

    def by_turns(history: History, predict: Any) -> Score:
        calls.append(1)
        return evaluation.score(history, predict) if len(calls) == 1 else Score(1e9, 1e9, 0.0)

    monkeypatch.setattr("commerce.forecast.training.score", by_turns)

    outcome = await train(resources, "forecast")
    await resources.models.look()

    body = await asked(client, reader, "tent", days=3)
    assert outcome.refusal is not None
    assert "worse than last week" in outcome.refusal
    assert (body["model"], body["fallback_reason"]) == ("forecast-baseline", "no_model")
    assert serving.version is None


@pytest.mark.parametrize("pinball", [1.051, float("nan")])
async def test_model_that_was_published_though_it_is_worse_is_refused_by_each_process(
    resources: Resources, serving: Serving[Any], shop: Shop, log_entries: LogEntries, pinball: float
) -> None:
    await sell(resources, shop)
    good = (await trained(resources, serving)).published[1]
    file = await resources.models.artifacts.read(good)
    metrics = {"pinball": pinball, "baseline_pinball": 1.0}
    now = resources.clock.now()

    await resources.models.artifacts.publish(Trained("forecast", file, now, now, metrics))
    await resources.models.look()

    assert serving.version == good.version
    assert [each["code"] for each in log_entries if each["event"] == "model_refused"] == ["model_failed_probe"]


async def test_model_that_is_too_old_leaves_the_answer_to_last_week(
    client: httpx2.AsyncClient,
    resources: Resources,
    serving: Serving[Any],
    shop: Shop,
    reader: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await sell(resources, shop)
    await trained(resources, serving)
    monkeypatch.setattr(serving, "_clock", FakeClock(resources.clock.now() + timedelta(days=8, seconds=1)))

    body = await asked(client, reader, "tent", days=3)

    assert (body["model"], body["fallback_reason"]) == ("forecast-baseline", "model_too_old")


async def test_boosted_trees_are_served_by_onnxruntime_with_the_same_contract(
    client: httpx2.AsyncClient, resources: Resources, serving: Serving[Any], shop: Shop, reader: dict[str, str]
) -> None:
    await sell(resources, shop, days=120)

    manifest = (await trained(resources, serving, way="gradient-boosting")).published[1]
    body = await asked(client, reader, "tent", days=90)

    assert (manifest.format, manifest.parameters["algorithm"]) == ("onnx", "gradient-boosting")
    assert (body["model"], body["version"], body["fallback"]) == ("forecast", manifest.version, False)
    assert len(body["items"]) == 90
    assert all(0 <= each["p10"] <= each["p50"] <= each["p90"] for each in body["items"])
    assert 1 < np.mean([each["mean"] for each in body["items"]]) < 9


async def test_swap_under_load_fails_no_request_and_each_batch_is_of_one_version(
    client: httpx2.AsyncClient, resources: Resources, serving: Serving[Any], shop: Shop, reader: dict[str, str]
) -> None:
    await sell(resources, shop)
    first = (await trained(resources, serving)).published[1]
    items = [{"product_id": shop[each].head.id, "days": 30} for each in ("tent", "wool-cap")]
    seen: list[str] = []
    swapped = asyncio.Event()

    async def ask() -> None:
        after = 0
        while after < 5:
            response = await client.post(PREDICT, json={"items": items}, headers=reader)
            assert response.status_code == 200
            seen.append(response.json()["version"])
            after += swapped.is_set()

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(ask())
        second = (await trained(resources, serving)).published[1]
        swapped.set()

    assert {*seen} <= {first.version, second.version}
    assert seen[-4:] == [second.version] * 4
    assert seen[seen.index(second.version) :].count(first.version) < 4


async def test_file_that_is_no_forecast_is_refused(resources: Resources, serving: Serving[Any], shop: Shop) -> None:
    await sell(resources, shop)
    good = (await trained(resources, serving)).published[1]
    now = resources.clock.now()

    for data in (tensors(means=[1.0]), tensors(ids=[1.0])):
        await resources.models.artifacts.publish(Trained("forecast", data, now, now, good.metrics))
        await resources.models.look()

    assert serving.version == good.version
