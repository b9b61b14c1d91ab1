"""Reading orders over REST: lists, pages, tags, and who sees what."""

from typing import Any

import httpx2
import pytest

from commerce.accounts.principal import ROLES
from core.resources import Resources
from tests.factories.catalogue import Catalogue
from tests.factories.orders import only_variant
from tests.factories.people import a_user, signed_in
from tests.factories.statements import recorded
from tests.fixtures.application import key_with
from tests.fixtures.probes import read_error
from tests.public_api.orders.calls import ORDERS, change, place


async def own_key(client: httpx2.AsyncClient, person: dict[str, str], *scopes: str) -> dict[str, str]:
    """The headers of a new key of theirs."""
    made = await client.post("/public/v1/api-keys", json={"name": "mine", "scopes": scopes}, headers=person)
    assert made.status_code == 201, made.text
    return {"Authorization": f"Bearer {made.json()['secret']}"}


async def numbers(client: httpx2.AsyncClient, headers: dict[str, str], **query: Any) -> list[int]:
    response = await client.get(ORDERS, params=query, headers=headers)
    assert response.status_code == 200, response.text
    page = response.json()
    assert page.keys() == {"items", "page", "size", "total"}
    assert page["total"] >= len(page["items"])
    return [order["number"] for order in page["items"]]


async def test_list_is_newest_first_and_narrowed(
    client: httpx2.AsyncClient, buyer: dict[str, str], variant: str
) -> None:
    first, second, third = [await place(client, buyer, variant, email=f"{name}@example.com") for name in "abc"]
    await change(client, buyer, second, "payments", {})

    assert await numbers(client, buyer) == [1003, 1002, 1001]
    assert await numbers(client, buyer, state="paid") == [1002]
    assert await numbers(client, buyer, email="C@example.com") == [1003]
    assert await numbers(client, buyer, placed_after=second["placed_at"]) == [1003, 1002]
    assert await numbers(client, buyer, placed_before=second["placed_at"]) == [1001]
    assert await numbers(client, buyer, state="placed", placed_after=first["placed_at"]) == [1003, 1001]
    assert await numbers(client, buyer, page=2, size=2) == [1001]
    assert await numbers(client, buyer, page=3, size=2) == []
    listed = (await client.get(ORDERS, params={"size": 1}, headers=buyer)).json()
    assert listed == {"items": [third], "page": 1, "size": 1, "total": 3}


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"state": "lost"}, "/query/state"),
        ({"placed_after": "yesterday"}, "/query/placed_after"),
        ({"placed_before": "2026-03-01T12:00:00"}, "/query/placed_before"),
        ({"page": "0"}, "/query/page"),
        ({"size": "101"}, "/query/size"),
        ({"page": "101", "size": "100"}, "/query/page"),
        ({"sort": "number"}, "/query/sort"),
    ],
)
async def test_list_refuses_what_it_does_not_take(
    client: httpx2.AsyncClient, buyer: dict[str, str], query: dict[str, str], pointer: str
) -> None:
    response = await client.get(ORDERS, params=query, headers=buyer)

    assert response.status_code == 422
    assert [fault["pointer"] for fault in response.json()["errors"]] == [pointer]


@pytest.mark.parametrize(
    "query",
    [
        {"page": "100", "size": "100"},
        {"email": "\0"},
        {"placed_after": "0001-01-01T00:00:00+14:00", "placed_before": "9999-12-31T23:00:00-12:00"},
    ],
)
async def test_list_of_what_there_is_not_is_empty(
    client: httpx2.AsyncClient, buyer: dict[str, str], query: dict[str, str]
) -> None:
    response = await client.get(ORDERS, params=query, headers=buyer)

    assert (response.status_code, response.json()["items"]) == (200, [])


async def test_order_is_read_byte_for_byte_as_a_change_of_it_answers(
    client: httpx2.AsyncClient, buyer: dict[str, str], variant: str
) -> None:
    order = await place(client, buyer, variant)
    paid = await change(client, buyer, order, "payments", {"reference": "ch_1"})

    one = await client.get(f"{ORDERS}/{order['id']}", headers=buyer)
    page = await client.get(ORDERS, headers=buyer)

    assert one.text == paid.text
    assert page.text == f'{{"items":[{paid.text}],"page":1,"size":20,"total":1}}'


async def test_number_of_statements_does_not_depend_on_the_size_of_the_page(
    client: httpx2.AsyncClient, buyer: dict[str, str], catalogue: Catalogue, resources: Resources
) -> None:
    untracked = only_variant(await catalogue.create(handle="hat"))
    for _ in range(6):
        await change(client, buyer, await place(client, buyer, untracked), "payments", {})

    with recorded(resources.database.reader) as of_one:
        await client.get(ORDERS, params={"size": 1}, headers=buyer)
    with recorded(resources.database.reader) as of_all:
        response = await client.get(ORDERS, params={"size": 100}, headers=buyer)

    assert len(response.json()["items"]) == 6
    assert len(of_one) == len(of_all)
    assert [statement for statement in of_all if "orders" in statement] == of_all[-1:]


async def test_copy_that_is_current_is_not_sent_again(
    client: httpx2.AsyncClient, buyer: dict[str, str], variant: str
) -> None:
    order = await place(client, buyer, variant)
    paths = [ORDERS, f"{ORDERS}/{order['id']}"]
    tags = [(await client.get(path, headers=buyer)).headers["etag"] for path in paths]

    same = [
        await client.get(path, headers=buyer | {"If-None-Match": tag}) for path, tag in zip(paths, tags, strict=True)
    ]
    await change(client, buyer, order, "payments", {})
    changed = [
        await client.get(path, headers=buyer | {"If-None-Match": tag}) for path, tag in zip(paths, tags, strict=True)
    ]

    assert [response.status_code for response in (*same, *changed)] == [304, 304, 200, 200]
    assert tags[1] == 'W/"1"'
    assert changed[1].headers["etag"] == 'W/"2"'
    assert {response.headers["cache-control"] for response in (*same, *changed)} == {"private, no-cache"}
    assert all("Authorization" in response.headers["vary"] for response in (*same, *changed))


@pytest.mark.parametrize("order_id", ["ord_none", "ord%00", "1001"])
async def test_unknown_order_is_not_found(client: httpx2.AsyncClient, buyer: dict[str, str], order_id: str) -> None:
    response = await client.get(f"{ORDERS}/{order_id}", headers=buyer)

    assert response.status_code == 404
    assert read_error("v1", response).code == "order_not_found"


@pytest.mark.parametrize("path", [ORDERS, f"{ORDERS}/ord_none"])
async def test_reading_needs_the_scope(client: httpx2.AsyncClient, resources: Resources, path: str) -> None:
    nobody = await client.get(path)
    writer = await client.get(path, headers=await key_with(resources, "orders:write"))

    assert (nobody.status_code, writer.status_code) == (401, 403)


async def test_who_sees_whose_orders(
    client: httpx2.AsyncClient, resources: Resources, buyer: dict[str, str], variant: str
) -> None:
    people = {name: await signed_in(resources, await a_user(resources)) for name in ("ada", "bob")}
    people |= {role: await signed_in(resources, await a_user(resources, role)) for role in ROLES[1:]}
    keys = {f"{name}'s key": await own_key(client, people[name], "orders:read") for name in ("ada", "bob", "support")}
    adas = await place(client, people["ada"], variant)
    bobs = await place(client, people["bob"], variant)
    shops = await place(client, buyer, variant)
    orders = {"shop": shops, "bob": bobs, "ada": adas}

    seen: dict[str, list[str]] = {}
    for who, headers in ({"shop": buyer} | people | keys).items():
        answers = {name: await client.get(f"{ORDERS}/{order['id']}", headers=headers) for name, order in orders.items()}
        seen[who] = [name for name, answer in answers.items() if answer.is_success]
        assert {answer.status_code for answer in answers.values()} <= {200, 404}
        assert await numbers(client, headers) == [orders[name]["number"] for name in seen[who]]

    everybody = ("shop", "support", "editor", "admin", "support's key")
    assert seen == {who: ["shop", "bob", "ada"] for who in everybody} | {
        "ada": ["ada"],
        "ada's key": ["ada"],
        "bob": ["bob"],
        "bob's key": ["bob"],
    }
