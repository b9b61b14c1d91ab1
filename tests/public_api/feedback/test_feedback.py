"""What becomes of answers: said once, by anybody, of what there is, and of orders by whose they are."""

from datetime import timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import func, select

from commerce.feedback.models import FeedbackRow
from commerce.feedback.repository import RETENTION, FeedbackRepository
from commerce.upkeep.jobs import forget
from core.database import Database
from core.ids import new_id
from core.resources import Resources
from tests.factories.people import a_user, signed_in
from tests.public_api.orders.calls import place

ADDRESS = "/public/v1/feedback"


def said(**other: Any) -> dict[str, Any]:
    return {"answer_id": new_id("ans"), "model": "co-purchase", "version": "7", "kind": "helpful"} | other


async def kept(database: Database) -> int:
    async with database.read() as session:
        return await session.scalar(select(func.count()).select_from(FeedbackRow)) or 0


@pytest.fixture
async def product(client: httpx2.AsyncClient) -> dict[str, Any]:
    found: dict[str, Any] = (await client.get("/public/v1/products/rain-jacket")).json()
    return found


async def test_click_is_kept_with_its_answer(client: httpx2.AsyncClient, product: dict[str, Any]) -> None:
    body = said(kind="clicked", product_id=product["id"])

    response = await client.post(ADDRESS, json=body)

    assert response.status_code == 201
    found = response.json()
    assert found == body | {"id": found["id"], "order_id": None, "created_at": found["created_at"]}
    assert found["id"].startswith("fb_")


async def test_same_said_again_is_answered_as_before_and_counts_once(
    client: httpx2.AsyncClient, resources: Resources
) -> None:
    body = said()

    first, again, other = [
        (await client.post(ADDRESS, json=each)).json() for each in (body, body, body | {"kind": "unhelpful"})
    ]

    assert again == first
    assert other["id"] != first["id"]
    assert await kept(resources.database) == 2
    async with resources.database.read() as session:
        reactions = await FeedbackRepository(session).reactions(resources.clock.now() - timedelta(days=1))
    assert [(each.model, each.version, each.kind, each.answers) for each in reactions] == [
        ("co-purchase", "7", "helpful", 1),
        ("co-purchase", "7", "unhelpful", 1),
    ]


@pytest.mark.parametrize(
    ("other", "pointers"),
    [
        ({"answer_id": "ans_1"}, ["/answer_id"]),
        ({"answer_id": "prod_01jd0a3v5te8zr9k1m2n3p4q5r"}, ["/answer_id"]),
        ({"model": "", "version": "a b"}, ["/model", "/version"]),
        ({"model": "m" * 201}, ["/model"]),
        ({"kind": "clicked"}, ["/product_id"]),
        ({"kind": "ordered"}, ["/order_id"]),
        ({"order_id": "ord_1"}, ["/order_id"]),
        ({"kind": "liked"}, ["/kind"]),
        ({"stars": 5}, ["/stars"]),
    ],
)
async def test_what_says_nothing_is_refused_where_it_is_wrong(
    client: httpx2.AsyncClient, resources: Resources, other: dict[str, Any], pointers: list[str]
) -> None:
    response = await client.post(ADDRESS, json=said(**other))

    assert response.status_code == 422
    assert [each["pointer"] for each in response.json()["errors"]] == pointers
    assert await kept(resources.database) == 0


async def test_product_that_is_not_there_is_not_found(client: httpx2.AsyncClient, resources: Resources) -> None:
    response = await client.post(ADDRESS, json=said(kind="clicked", product_id=new_id("prod")))

    assert (response.status_code, response.json()["code"]) == (404, "product_not_found")
    assert await kept(resources.database) == 0


async def test_order_is_tied_to_an_answer_by_whose_it_is_alone(
    client: httpx2.AsyncClient, resources: Resources, product: dict[str, Any]
) -> None:
    ada, bob = [await signed_in(resources, await a_user(resources)) for _ in range(2)]
    order = await place(client, ada, product["variants"][0]["id"])
    body = said(kind="ordered", order_id=order["id"])

    refused = [await client.post(ADDRESS, json=body, headers=headers) for headers in (bob, {})]
    taken = await client.post(ADDRESS, json=body, headers=ada)

    assert [(each.status_code, each.json()["code"]) for each in refused] == [(404, "order_not_found")] * 2
    assert (taken.status_code, taken.json()["order_id"]) == (201, order["id"])
    assert await kept(resources.database) == 1


async def test_idempotency_key_answers_as_before(client: httpx2.AsyncClient) -> None:
    headers, body = {"Idempotency-Key": "once"}, said()

    first, again = [await client.post(ADDRESS, json=body, headers=headers) for _ in range(2)]
    other = await client.post(ADDRESS, json=said(), headers=headers)

    assert again.json() == first.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_what_is_too_old_is_forgotten(client: httpx2.AsyncClient, resources: Resources) -> None:
    for _ in range(2):
        await client.post(ADDRESS, json=said())
    async with resources.database.write() as session:
        oldest = (await session.scalars(select(FeedbackRow).order_by(FeedbackRow.id))).first()
        assert oldest is not None
        oldest.created_at = resources.clock.now() - RETENTION - timedelta(seconds=1)

    await forget(resources)

    assert await kept(resources.database) == 1
