"""Orders with quotes, over both doors, and across a crash."""

import signal
from datetime import timedelta
from typing import Any

import httpx2
from sqlalchemy import update

from commerce.shipping.models import ShippingQuoteRow
from core.resources import Resources
from tests.factories.orders import OrderDesk
from tests.fixtures.probes import read_error
from tests.fixtures.processes import PORTICO, Process, StartProcess
from tests.public_api.orders.calls import ORDERS, body, keyed
from tests.public_api.shipping.conftest import QUOTES, Asking

PLACE = """mutation($input: PlaceOrderInput!, $key: String!) {
  placeOrder(input: $input, idempotencyKey: $key) {
    __typename ... on Order { id shipping { amount currency } } ... on UserError { code errors { pointer code } }
  }
}"""


async def by_graphql(asking: Asking, key: str, **changes: Any) -> dict[str, Any]:
    lines = [{"quantity": 2, "variant": {"id": asking.variant}}]
    variables = {"key": key, "input": {"lines": lines, "email": "ada@example.com"} | changes}
    sent = {"query": PLACE, "variables": variables}
    answer = (await asking.client.post("/graphql", json=sent, headers=asking.headers)).json()
    found: dict[str, Any] = answer["data"]["placeOrder"]
    return found


async def test_order_takes_the_price_of_the_option_and_a_replay_is_the_same_on_both_doors(asking: Asking) -> None:
    quote = await asking.quote()
    option = quote["parts"][0]["options"][0]
    headers = keyed(asking.headers, "mine")
    sent = body(asking.variant, 2, shipping_quote_id=option["id"])

    placed = await asking.client.post(ORDERS, json=sent, headers=headers)
    again = await asking.client.post(ORDERS, json=sent, headers=headers)
    replayed = await by_graphql(asking, "mine", shippingQuoteId=option["id"])

    order = placed.json()
    assert placed.status_code == 201
    assert order["shipping"] == option["price"] == {"amount": 900, "currency": "USD"}
    assert order["total"]["amount"] == 2 * 1999 + 900
    assert (again.json(), again.headers["idempotency-replayed"]) == (order, "true")
    assert (replayed["id"], replayed["shipping"]) == (order["id"], order["shipping"])


async def test_graphql_takes_the_quotes_own_id_and_tells_a_refusal_with_its_place(asking: Asking) -> None:
    quote = await asking.quote()
    cheapest = min(option["price"]["amount"] for part in quote["parts"] for option in part["options"])

    placed = await by_graphql(asking, "one", shippingQuoteId=quote["id"])
    refused = await by_graphql(asking, "two", shippingQuoteId=quote["id"])
    both = await by_graphql(asking, "three", shippingQuoteId=quote["id"], shipping={"amount": 1})

    assert placed["shipping"]["amount"] == cheapest == 795
    assert refused == {
        "__typename": "Refused",
        "code": "shipping_quote_used",
        "errors": [{"pointer": "/input/shippingQuoteId", "code": "shipping_quote_used"}],
    }
    assert (both["code"], both["errors"][0]["pointer"]) == ("invalid_request", "/input/shippingQuoteId")


async def test_quotes_are_refused_with_codes_and_change_nothing(
    asking: Asking, desk: OrderDesk, resources: Resources
) -> None:
    used, expired, fresh = [(await asking.quote())["id"] for _ in range(3)]
    first = await asking.client.post(
        ORDERS, json=body(asking.variant, 2, shipping_quote_id=used), headers=keyed(asking.headers)
    )
    assert first.status_code == 201
    async with resources.database.write() as session:
        past = resources.clock.now() - timedelta(seconds=1)
        await session.execute(update(ShippingQuoteRow).where(ShippingQuoteRow.id == expired).values(expires_at=past))
    before = await desk.everything()

    async def refusal(quantity: int, quote_id: str) -> tuple[int, str]:
        sent = body(asking.variant, quantity, shipping_quote_id=quote_id)
        response = await asking.client.post(ORDERS, json=sent, headers=keyed(asking.headers))
        code = read_error("v1", response).code
        page = await asking.client.get(f"/public/problems/{code}", headers={"Accept": "text/html"})
        assert page.status_code == 200
        return response.status_code, code

    assert await refusal(2, used) == (409, "shipping_quote_used")
    assert await refusal(2, expired) == (409, "shipping_quote_expired")
    assert await refusal(3, fresh) == (422, "shipping_quote_mismatch")
    assert await refusal(2, f"{fresh}-99") == (422, "unknown_shipping_quote")
    assert await desk.everything() == before


def address_and_key(process: Process) -> tuple[str, dict[str, str]]:
    address = process.until(r"Portico is ready: (http://127\.0\.0\.1:\d+)")[1]
    return address, {"Authorization": f"Bearer {process.until(r'API key (ptk_[A-Za-z0-9_]+)')[1]}"}


def test_kill_between_quote_and_order_is_harmless_and_the_demo_quotes_out_of_the_box(start: StartProcess) -> None:
    process = start(*PORTICO, "serve", "--demo", "--port", "0")
    address, headers = address_and_key(process)
    lines = [{"sku": "JKT-RIDGE-S-MOSS", "quantity": 2}]
    sent = {"lines": lines, "destination": {"country": "US", "postal_code": "94105"}}
    quote = httpx2.post(f"{address}{QUOTES}", json=sent, headers=headers).json()

    process.send(signal.SIGKILL)
    process.wait(10)
    again = start(*PORTICO, "serve", "--demo", "--port", "0")
    address = again.until(r"Portico is ready: (http://127\.0\.0\.1:\d+)")[1]
    order = {"lines": lines, "email": "ada@example.com", "shipping_quote_id": quote["id"]}
    placed = httpx2.post(f"{address}{ORDERS}", json=order, headers=keyed(headers, "k"))
    replayed = httpx2.post(f"{address}{ORDERS}", json=order, headers=keyed(headers, "k"))

    assert [part["carrier"] for part in quote["parts"]] == ["table"]
    assert placed.status_code == 201, placed.text
    assert placed.json()["shipping"] == quote["parts"][0]["options"][0]["price"]
    assert replayed.json() == placed.json()
