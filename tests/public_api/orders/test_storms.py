"""Many clients at once over HTTP, on both databases."""

import asyncio
from collections import Counter
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI

from core.resources import Resources
from gateway.app import create_app
from tests.factories.catalogue import Catalogue
from tests.factories.clocks import FakeClock
from tests.factories.orders import OrderDesk, only_variant
from tests.factories.products import a_variant
from tests.fixtures.application import key_with, settings_over
from tests.fixtures.asgi import Served, client_of
from tests.public_api.orders.calls import ORDERS, body, keyed

CLIENTS = 16
LAST = 10


@pytest.fixture
def app(database_url: str, tmp_path: Path) -> FastAPI:
    """The real application over a database of each kind."""
    return create_app(settings_over(database_url, tmp_path / "var"))


@pytest.fixture
async def last_ten(resources: Resources) -> str:
    catalogue = Catalogue(resources.database, FakeClock())
    return only_variant(await catalogue.create(variants=(a_variant(stock=LAST),)))


async def test_sixteen_clients_buy_the_last_ten(
    client: httpx2.AsyncClient, buyer: dict[str, str], desk: OrderDesk, last_ten: str
) -> None:
    answers = await asyncio.gather(
        *(client.post(ORDERS, json=body(last_ten), headers=keyed(buyer)) for _ in range(CLIENTS))
    )

    seen = Counter((answer.status_code, answer.json().get("code")) for answer in answers)
    assert seen == {(201, None): LAST, (409, "out_of_stock"): CLIENTS - LAST}
    assert (await desk.stock(last_ten), await desk.sold(last_ten)) == (0, LAST)
    assert len({answer.json()["number"] for answer in answers if answer.status_code == 201}) == LAST


async def test_one_key_from_eight_clients_makes_one_order(
    served: Served, buyer: dict[str, str], desk: OrderDesk, last_ten: str
) -> None:
    headers = keyed(buyer)

    async def send() -> httpx2.Response:
        async with client_of(served) as client:
            return await client.post(ORDERS, json=body(last_ten), headers=headers)

    answers = await asyncio.gather(*(send() for _ in range(8)))
    again = await send()

    made = [answer for answer in answers if answer.status_code == 201]
    late = [answer for answer in answers if answer.status_code != 201]
    assert {(answer.status_code, answer.json()["code"]) for answer in late} <= {(409, "idempotency_in_progress")}
    assert [answer.headers.get("idempotency-replayed") for answer in made].count(None) == 1
    assert {answer.content for answer in made} == {again.content}
    assert again.headers["idempotency-replayed"] == "true"
    assert (await desk.stock(last_ten), await desk.sold(last_ten)) == (LAST - 1, 1)


async def test_cancelling_from_eight_clients_gives_the_stock_back_once(
    client: httpx2.AsyncClient, resources: Resources, desk: OrderDesk, last_ten: str
) -> None:
    headers = await key_with(resources, "orders:write")
    order = (await client.post(ORDERS, json=body(last_ten, 3), headers=keyed(headers))).json()

    answers = await asyncio.gather(*(client.post(f"{ORDERS}/{order['id']}/cancel", headers=headers) for _ in range(8)))

    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 7}
    assert await desk.stock(last_ten) == LAST
