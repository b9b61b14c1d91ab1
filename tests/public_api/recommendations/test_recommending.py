"""Recommendations over HTTP: who answers, what is shown, and versions that change while requests are under way."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from commerce.catalog.entities import Product
from commerce.catalog.service import CatalogService
from commerce.recommendations.counting import count_sales
from commerce.recommendations.entities import Likes
from commerce.recommendations.service import RecommendationService
from commerce.recommendations.serving import RECOMMENDATIONS
from core.inference.artifacts import Manifest, Trained
from core.inference.provenance import Provenance
from core.inference.serving import Serving
from core.resources import Resources
from public_api.recommendations.schemas import Recommendations
from tests.factories.clocks import FakeClock
from tests.factories.model_files import a_table
from tests.factories.order_rows import OrderRows, line
from tests.factories.statements import recorded
from tests.fixtures.application import LogEntries

Shop = dict[str, Product]
PATH = "/public/v1/products/{}/recommendations"
EVERYTHING = ["wool-cap", "tent", "émile-scarf", "rain-poncho", "old-boots"]  # some are not on sale


@pytest.fixture
async def serving(resources: Resources) -> AsyncIterator[Serving[Any]]:
    found = resources.models.serving(RECOMMENDATIONS)
    async with resources.models:
        yield found


async def publish(resources: Resources, shop: Shop, of: dict[str, Sequence[str]], *, minutes: int = 0) -> Manifest:
    ids = {handle: product.head.id for handle, product in shop.items()}
    table = a_table({ids[handle]: [ids.get(other, other) for other in others] for handle, others in of.items()})
    now = resources.clock.now() + timedelta(minutes=minutes)
    return await resources.models.artifacts.publish(Trained("recommendations", table.save(), now, now))


async def published(
    resources: Resources, serving: Serving[Any], shop: Shop, of: dict[str, Sequence[str]], *, minutes: int = 0
) -> Manifest:
    """Loaded, too."""
    manifest = await publish(resources, shop, of, minutes=minutes)
    await loaded(serving, manifest)
    return manifest


async def loaded(serving: Serving[Any], manifest: Manifest) -> None:
    async with asyncio.timeout(60):
        while serving.version != manifest.version:  # noqa: ASYNC110  nobody tells of it but itself
            await asyncio.sleep(0.005)


async def asked(client: httpx2.AsyncClient, named: str, **query: Any) -> dict[str, Any]:
    response = await client.get(PATH.format(named), params=query)
    assert response.status_code == 200, response.text
    Recommendations.model_validate_json(response.content)
    assert response.headers["cache-control"] == "private, no-store"
    body: dict[str, Any] = response.json()
    return body


def shown(body: dict[str, Any]) -> list[tuple[str, str]]:
    return [(item["product"]["handle"], item["reason"]) for item in body["items"]]


async def test_what_is_bought_together_is_recommended_with_all_that_is_known_of_the_model(
    client: httpx2.AsyncClient, resources: Resources, serving: Serving[Any], shop: Shop
) -> None:
    manifest = await published(resources, serving, shop, {"rain-jacket": ["tent", "wool-cap"]})

    body = await asked(client, "rain-jacket", limit=2)

    assert shown(body) == [("tent", "bought_together"), ("wool-cap", "bought_together")]
    assert body["items"][0]["product"] == (await client.get("/public/v1/products/tent")).json()
    assert body.pop("answer_id").startswith("ans_")
    moment = manifest.trained_at.isoformat().replace("+00:00", "Z")
    assert body | {"items": []} == {
        "model": "recommendations",
        "version": manifest.version,
        "content_hash": manifest.content_hash,
        "trained_at": moment,
        "features_as_of": moment,
        "fallback": False,
        "fallback_reason": None,
        "items": [],
    }


async def test_two_statements_are_sent_for_a_product_that_the_model_knows(
    client: httpx2.AsyncClient, resources: Resources, serving: Serving[Any], shop: Shop
) -> None:
    await published(resources, serving, shop, {"rain-jacket": EVERYTHING})
    for named, limit in (("rain-jacket", 3), (shop["rain-jacket"].head.id, 1)):
        with recorded(resources.database.reader) as sent:
            body = await asked(client, named, limit=limit)
        assert len(body["items"]) == limit
        assert len(sent) == 2


async def test_many_that_are_not_on_sale_do_not_hide_one_that_is(
    client: httpx2.AsyncClient, resources: Resources, serving: Serving[Any], shop: Shop
) -> None:
    await published(resources, serving, shop, {"rain-jacket": ["old-boots", "prod_gone", "tent"]})

    with recorded(resources.database.reader) as sent:
        body = await asked(client, "rain-jacket", limit=1)

    assert shown(body) == [("tent", "bought_together")]
    assert (body["fallback"], len(sent)) == (False, 3)


async def test_only_what_is_on_sale_is_recommended_and_the_rest_is_what_is_popular(
    client: httpx2.AsyncClient, resources: Resources, serving: Serving[Any], shop: Shop
) -> None:
    await published(resources, serving, shop, {"rain-jacket": ["old-boots", "prod_gone", "tent", "rain-poncho"]})
    orders = OrderRows(resources.database)
    for handle, units in (("tent", 9), ("wool-cap", 5), ("rain-jacket", 90)):
        await orders.add(line(product_id=shop[handle].head.id, quantity=units), placed_at=resources.clock.now())
    await count_sales(resources.database, resources.clock)

    with recorded(resources.database.reader) as sent:
        body = await asked(client, "rain-jacket")

    assert shown(body) == [("tent", "bought_together"), ("wool-cap", "popular"), ("émile-scarf", "new")]
    assert (body["fallback"], body["model"]) == (False, "recommendations")
    assert len(sent) == 5  # the product, what the model says, sales, what is new, and the JSON of these


async def test_deleted_product_is_never_recommended(
    client: httpx2.AsyncClient, resources: Resources, serving: Serving[Any], shop: Shop
) -> None:
    await published(resources, serving, shop, {"rain-jacket": ["tent", "wool-cap"]})
    async with resources.database.write() as session:
        await CatalogService(session, resources.clock, actor="test").delete(shop["tent"].head.id)

    assert shown(await asked(client, "rain-jacket", limit=1)) == [("wool-cap", "bought_together")]
    assert (await client.get(PATH.format("tent"))).json()["code"] == "product_not_found"


@pytest.mark.parametrize("known", [False, True])
async def test_product_that_nobody_bought_gets_what_is_popular_and_says_why(
    client: httpx2.AsyncClient, resources: Resources, serving: Serving[Any], shop: Shop, known: bool
) -> None:
    if known:
        await published(resources, serving, shop, {"rain-jacket": ["tent"]})

    body = await asked(client, "wool-cap", limit=2)

    assert shown(body) == [("émile-scarf", "new"), ("tent", "new")]
    assert (body["model"], body["version"], body["fallback"]) == ("popularity", "1", True)
    assert body["fallback_reason"] == ("cold_product" if known else "no_model")
    assert (body["trained_at"], body["features_as_of"]) == (None, None)


class ByMeaning:
    """Knows of every product two that are like it."""

    def __init__(self, *ids: str) -> None:
        self._ids = ids

    async def similar(self, product_id: str, limit: int) -> Likes | None:
        assert (product_id != "", limit) == (True, 3)
        return Likes(Provenance("meaning", "7", "sha256:00", fallback_reason="cold_product"), self._ids)


async def test_cold_product_gets_what_is_like_it_before_what_is_popular(
    resources: Resources, serving: Serving[Any], shop: Shop
) -> None:
    await published(resources, serving, shop, {"rain-jacket": ["tent"]})
    meaning = ByMeaning(shop["old-boots"].head.id, shop["émile-scarf"].head.id)

    service = RecommendationService(resources.database, resources.models, meaning)
    cold = await service.like(shop["wool-cap"].head, limit=3)
    known = await service.like(shop["rain-jacket"].head, limit=3)

    assert (cold.provenance.model, cold.provenance.fallback_reason) == ("meaning", "cold_product")
    assert [(each.product_id, each.reason) for each in cold.items] == [
        (shop["émile-scarf"].head.id, "similar"),
        (shop["tent"].head.id, "new"),
        (shop["rain-jacket"].head.id, "new"),
    ]
    assert (known.provenance.model, known.items[0].reason) == ("recommendations", "bought_together")


async def test_model_that_has_grown_too_old_leaves_the_answer_to_what_is_popular(
    client: httpx2.AsyncClient,
    resources: Resources,
    serving: Serving[Any],
    shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await published(resources, serving, shop, {"rain-jacket": ["tent"]}, minutes=-30 * 24 * 60 + 5)
    assert (await asked(client, "rain-jacket"))["fallback"] is False
    monkeypatch.setattr(serving, "_clock", FakeClock(resources.clock.now() + timedelta(minutes=6)))

    body = await asked(client, "rain-jacket")

    assert (body["model"], body["fallback_reason"]) == ("popularity", "model_too_old")


async def test_hidden_product_is_for_those_who_may_see_it(
    client: httpx2.AsyncClient, writer: dict[str, str], shop: Shop
) -> None:
    for named in ("rain-poncho", shop["rain-poncho"].head.id, "nothing", "prod_nothing", "%00"):
        assert (await client.get(PATH.format(named))).json()["code"] == "product_not_found"

    assert (await client.get(PATH.format("rain-poncho"), headers=writer)).status_code == 200


@pytest.mark.parametrize("limit", ["0", "51", "-1", "x"])
async def test_number_out_of_bounds_is_refused(client: httpx2.AsyncClient, limit: str) -> None:
    response = await client.get(PATH.format("tent"), params={"limit": limit})

    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")


async def test_swap_under_load_fails_no_request_and_changes_the_version_once(
    client: httpx2.AsyncClient, resources: Resources, serving: Serving[Any], shop: Shop
) -> None:
    """In the order of their beginning no answer is older than the one before it; each is of one version alone."""
    first = await published(resources, serving, shop, {"rain-jacket": ["tent"]})
    answers: list[tuple[str, str]] = []
    swapped = asyncio.Event()

    async def ask() -> None:
        after = 0
        while after < 20:
            body = await asked(client, "rain-jacket", limit=1)
            answers.append((body["version"], body["items"][0]["product"]["handle"]))
            after += swapped.is_set()

    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(ask())
        while len(answers) < 50:  # noqa: ASYNC110  they are under way
            await asyncio.sleep(0)
        second = await published(resources, serving, shop, {"rain-jacket": ["wool-cap"]}, minutes=1)
        swapped.set()

    assert {*answers} == {(first.version, "tent"), (second.version, "wool-cap")}
    versions = [version for version, _ in answers]
    mixed = versions[versions.index(second.version) :].count(first.version)
    assert mixed < 8  # that were under way when it changed
    assert versions[-8:] == [second.version] * 8


async def test_corrupt_version_is_refused_while_the_old_one_answers(
    client: httpx2.AsyncClient, resources: Resources, serving: Serving[Any], shop: Shop, log_entries: LogEntries
) -> None:
    first = await published(resources, serving, shop, {"rain-jacket": ["tent"]})
    hub = resources.database.on_announced
    resources.database.on_announced = lambda _topic: None  # nobody looks before it is broken
    second = await publish(resources, shop, {"rain-jacket": ["wool-cap"]}, minutes=1)
    await resources.objects.put(second.key, b"\x80\x04" + b"\x00" * (second.size - 2))
    resources.database.on_announced = hub

    await resources.models.look()
    await resources.models.look()

    assert (await asked(client, "rain-jacket"))["version"] == first.version
    refused = [entry for entry in log_entries if entry["event"] == "model_refused"]
    assert [(entry["version"], entry["code"]) for entry in refused] == [(second.version, "model_hash_mismatch")]
