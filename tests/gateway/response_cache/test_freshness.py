"""After a write is answered nobody reads of this process what was before it; of another's, within a wake-up."""

import asyncio
import json
import random
from collections.abc import Callable

import pytest

from commerce.accounts.principal import Role
from commerce.catalog.errors import ProductNotFound
from commerce.catalog.service import CatalogService
from core.database import Database
from tests.factories.catalogue import Catalogue
from tests.factories.clocks import FakeClock
from tests.factories.people import a_user, signed_in
from tests.fixtures.application import key_with
from tests.gateway.response_cache.shop import LIST, PRODUCTS, Got, Shop, get, heard, told, was_made

HEADERS = ((b"host", b"portico.test"), (b"content-type", b"application/json"))
QUERY = json.dumps({"query": '{product(handle: "cap") {title}}'}).encode()
MANY = json.dumps({"query": "{products(first: 50) {nodes {handle title}}}"}).encode()
WRITES = 1_000


def _items(nodes: list[dict[str, str]]) -> str:
    return next(node["title"] for node in nodes if node["handle"] == "cap")


WAYS: dict[str, tuple[str, bytes, Callable[[Got], str]]] = {
    "by handle": (f"{PRODUCTS}/cap", b"", lambda got: json.loads(got.body)["title"]),
    "list": (f"{LIST}?limit=50", b"", lambda got: _items(json.loads(got.body)["items"])),
    "numbered": (f"{PRODUCTS}?size=50", b"", lambda got: _items(json.loads(got.body)["items"])),
    "query": ("/graphql", QUERY, lambda got: json.loads(got.body)["data"]["product"]["title"]),
    "query of many": ("/graphql", MANY, lambda got: _items(json.loads(got.body)["data"]["products"]["nodes"])),
}


async def read(shop: Shop, way: str) -> tuple[int, str]:
    """The number in the title, and what the cache did."""
    path, body, title_of = WAYS[way]
    got = await get(shop.served, path, method="POST" if body else "GET", headers=HEADERS, body=body)
    assert got.status == 200
    return int(title_of(got).removeprefix("Cap ")), got.told


async def test_no_read_is_older_than_a_write_that_was_answered_before_it(shop: Shop) -> None:
    chance = random.Random(7)  # noqa: S311  the same interleavings each time
    ways, outcomes = list(WAYS), set()

    async def follow(answered: int) -> None:
        for _ in range(chance.randrange(12)):
            await asyncio.sleep(0)
        number, outcome = await read(shop, chance.choice(ways))
        assert number >= answered
        outcomes.add(outcome.partition(";")[0])

    await shop.catalogue.update(shop.products["cap"], title="Cap 0")
    for number in range(1, WRITES + 1):
        reads = [asyncio.create_task(follow(number - 1)) for _ in range(chance.randrange(4))]
        await shop.catalogue.update(shop.products["cap"], title=f"Cap {number}")
        reads.append(asyncio.create_task(follow(number)))
        if chance.randrange(4):  # or they are still on their way when the next write begins
            await asyncio.gather(*reads)
    await asyncio.gather(*reads)

    assert outcomes == {"hit", "fwd=uri-miss"}


@pytest.mark.parametrize("way", WAYS)
async def test_write_of_another_process_is_seen_as_soon_as_it_is_heard_of(
    shop: Shop, sqlite_other: Database, way: str
) -> None:
    await shop.catalogue.update(shop.products["cap"], title="Cap 1")
    await heard(shop.served)
    for _ in range(2):
        assert (await read(shop, way))[0] == 1

    await Catalogue(sqlite_other, FakeClock()).update(shop.products["cap"], title="Cap 2")
    await heard(shop.served)

    assert await read(shop, way) == (2, "fwd=uri-miss; stored")


async def test_every_kind_of_change_is_seen(shop: Shop) -> None:
    path, key = f"{PRODUCTS}/storm-coat", await key_with(shop.resources, "catalog:write")
    seen = []
    for change in (
        lambda: shop.catalogue.update(shop.products["storm-coat"], handle="coat"),
        lambda: shop.catalogue.create(handle="storm-coat", title="Another"),
        lambda: shop.client.patch(
            f"{PRODUCTS}/{shop.products['storm-coat'].head.id}", json={"status": "draft"}, headers=key
        ),
    ):
        before = (await get(shop.served, LIST)).body
        await change()
        seen.append((before != (await get(shop.served, LIST)).body, (await get(shop.served, path)).status))

    assert seen == [(True, 301), (True, 200), (True, 200)]


async def test_order_shows_in_the_stock_at_once(shop: Shop) -> None:
    variant = (await shop.client.get(f"{PRODUCTS}/anorak")).json()["variants"][1]
    assert (variant["stock"], variant["available"]) == (2, True)

    wish = {"lines": [{"variant_id": variant["id"], "quantity": 2}], "email": "ada@example.com"}
    key = {**await key_with(shop.resources, "orders:write"), "Idempotency-Key": "one"}
    placed = await shop.client.post("/public/v1/orders", json=wish, headers=key)
    after = await shop.client.get(f"{PRODUCTS}/anorak")

    assert placed.status_code == 201
    assert (after.json()["variants"][1]["stock"], was_made(after)) == (0, True)


async def fail_after_deleting(shop: Shop) -> None:
    async with shop.resources.database.write() as session:
        service = CatalogService(session, shop.catalogue.clock)
        await service.delete(shop.products["cap"].head.id)
        await service.delete("prod_nothing")


async def test_write_that_is_rolled_back_ends_no_answer(shop: Shop) -> None:
    await get(shop.served, LIST)

    with pytest.raises(ProductNotFound):
        await fail_after_deleting(shop)

    assert (await get(shop.served, LIST)).told == "hit; ttl=60"


async def test_change_of_one_product_leaves_the_others(shop: Shop) -> None:
    for handle in ("cap", "boots"):
        await get(shop.served, f"{PRODUCTS}/{handle}")

    await shop.catalogue.update(shop.products["cap"], title="Hat")

    assert (await get(shop.served, f"{PRODUCTS}/boots")).told == "hit; ttl=60"
    assert was_made(await get(shop.served, f"{PRODUCTS}/cap"))


async def test_what_is_no_product_ends_nothing(shop: Shop) -> None:
    await get(shop.served, LIST)

    await a_user(shop.resources)
    await heard(shop.served)

    assert (await get(shop.served, LIST)).told == "hit; ttl=60"


@pytest.mark.parametrize(("role", "kept"), [("support", 0), ("customer", 1)])
async def test_staff_that_asks_for_no_cache_has_the_answer_dropped(shop: Shop, role: Role, kept: int) -> None:
    headers = await signed_in(shop.resources, await a_user(shop.resources, role))
    for path in (LIST, f"{PRODUCTS}/cap", PRODUCTS):
        await shop.client.get(path)
        response = await shop.client.get(path, headers={**headers, "Cache-Control": "no-cache"})
        after = await shop.client.get(path)

        assert told(response) == "fwd=bypass"
        assert told(after) == ("hit; ttl=60" if kept else "fwd=uri-miss; stored")


async def test_stranger_cannot_have_anything_dropped(shop: Shop) -> None:
    await shop.client.get(LIST)
    response = await shop.client.get(LIST, headers={"Cache-Control": "no-cache", "Pragma": "no-cache"})

    assert told(response) == "hit; ttl=60"
