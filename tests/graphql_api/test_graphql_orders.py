"""Orders over GraphQL are those over REST: same values, same lists, same eyes."""

from typing import Any

import httpx2
import pytest

from commerce.promotions.commands import promotion_data
from commerce.promotions.service import PromotionService
from core.idempotency import IdempotencyRow
from core.resources import Resources
from tests.factories.people import a_user, signed_in
from tests.factories.statements import recorded
from tests.fixtures.application import LogEntries, key_with
from tests.graphql_api.asking import Ask, as_graphql, error_of
from tests.graphql_api.ordering import ORDER, count, placed


async def test_order_is_the_one_of_rest_field_by_field(
    ask: Ask, client: httpx2.AsyncClient, admin: dict[str, str], resources: Resources
) -> None:
    spring = promotion_data(
        {"title": "Spring", "percent_off": 10, "starts_at": "2020-01-01T00:00:00Z", "ends_at": "2999-01-01T00:00:00Z"}
    )
    async with resources.database.write() as session:
        await PromotionService(session, resources.clock, resources.jobs, actor="test").create(spring)
    (order,) = await placed(client, admin)
    url = "https://track.example.com/1"
    parcel = {"carrier": "DHL", "tracking_number": "1", "tracking_url": url}
    await client.post(f"/public/v1/orders/{order['id']}/shipments", json=parcel, headers=admin)
    rest = (await client.get(f"/public/v1/orders/{order['id']}", headers=admin)).json()

    body = await ask(
        "query($id: ID!) { order(id: $id) { ...All } node(id: $id) { __typename ...All } }" + ORDER,
        {"id": order["id"]},
        **admin,
    )

    assert (rest["state"], len(rest["lines"]), len(rest["payments"])) == ("shipped", 2, 1)
    assert (rest["promotion"]["title"], rest["discount"]["amount"]) == ("Spring", 400)
    assert body == {"data": {"order": as_graphql(rest), "node": {"__typename": "Order"} | as_graphql(rest)}}


@pytest.mark.parametrize(
    ("field", "scope"),
    [
        ('order(id: "ord_1") { id }', "orders:read"),
        ("orders { totalCount }", "orders:read"),
        ('placeOrder(input: {lines: []}, idempotencyKey: "k") { __typename }', "orders:write"),
        ('cancelOrder(id: "ord_1", idempotencyKey: "k") { __typename }', "orders:write"),
    ],
)
async def test_callers_without_the_scope_get_errors_and_nothing_runs(
    ask: Ask, resources: Resources, field: str, scope: str
) -> None:
    kind = "mutation" if scope == "orders:write" else "query"
    other = await key_with(resources, "orders:read" if scope == "orders:write" else "orders:write")

    anonymous = await ask(f"{kind} {{ {field} }}")
    with_another = await ask(f"{kind} {{ {field} }}", **other)

    for body, code in ((anonymous, "unauthenticated"), (with_another, "missing_scope")):
        assert error_of(body)["extensions"]["code"] == code
        assert set(body["data"].values()) == {None}
    assert await count(resources.database, IdempotencyRow) == 0


async def test_error_of_orders_leaves_the_rest_of_the_page(ask: Ask) -> None:
    body = await ask('{ orders { totalCount } me { id } product(handle: "plain") { title } }')

    assert error_of(body)["path"] == ["orders"]
    assert body["data"] == {"orders": None, "me": None, "product": {"title": "Plain"}}


async def test_orders_of_others_are_not_to_be_seen(
    ask: Ask, client: httpx2.AsyncClient, customer: dict[str, str], stranger: dict[str, str], resources: Resources
) -> None:
    (order,) = await placed(client, customer)
    product = (await client.get("/public/v1/products/plain")).json()["id"]
    query = """query($id: ID!, $product: ID!) {
      order(id: $id) { id } node(id: $id) { id } nodes(ids: [$product, $id]) { id } orders { nodes { id } totalCount }
    }"""
    found: dict[str, Any] = {}
    support = await signed_in(resources, await a_user(resources, "support"))
    for name, who in {"owner": customer, "stranger": stranger, "support": support}.items():
        found[name] = (await ask(query, {"id": order["id"], "product": product}, **who))["data"]
    reader = await key_with(resources, "catalog:read")
    unseen = await ask("query($id: ID!) { node(id: $id) { id } nodes(ids: [$id]) { id } }", {"id": order["id"]})
    without_scope = await ask("query($id: ID!) { node(id: $id) { id } }", {"id": order["id"]}, **reader)

    one = {"id": order["id"]}
    seen = {"order": one, "node": one, "nodes": [{"id": product}, one], "orders": {"nodes": [one], "totalCount": 1}}
    nothing = {"order": None, "node": None, "nodes": [{"id": product}, None], "orders": {"nodes": [], "totalCount": 0}}
    assert found == {"owner": seen, "stranger": nothing, "support": seen}
    assert (unseen["data"], without_scope["data"]) == ({"node": None, "nodes": [None]}, {"node": None})


async def test_pages_show_every_order_of_rest_once_newest_first(
    ask: Ask, client: httpx2.AsyncClient, customer: dict[str, str]
) -> None:
    await placed(client, customer, 7)
    rest = (await client.get("/public/v1/orders?size=100", headers=customer)).json()
    seen: list[Any] = []
    after: str | None = None
    sizes = []
    while True:
        page = (
            await ask(
                """query($after: String) { orders(first: 3, after: $after) {
                  nodes { id } edges { cursor node { ...All } } totalCount
                  pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
                } }"""
                + ORDER,
                {"after": after},
                **customer,
            )
        )["data"]["orders"]
        cursors, info = [edge["cursor"] for edge in page["edges"]], page["pageInfo"]
        assert [edge["node"]["id"] for edge in page["edges"]] == [node["id"] for node in page["nodes"]]
        assert (info["startCursor"], info["endCursor"]) == (cursors[0], cursors[-1])
        assert (info["hasPreviousPage"], page["totalCount"]) == (after is not None, 7)
        seen += [edge["node"] for edge in page["edges"]]
        sizes.append(len(cursors))
        if not info["hasNextPage"]:
            break
        after = info["endCursor"]

    assert seen == as_graphql(rest["items"])
    assert (len(seen), sizes) == (7, [3, 3, 1])


async def test_filters_give_the_list_of_rest(ask: Ask, client: httpx2.AsyncClient, customer: dict[str, str]) -> None:
    orders = await placed(client, customer, 4)
    middle = orders[2]["placed_at"]
    lists = [
        ("{state: paid}", {"state": "paid"}, 2),
        ("{state: cancelled}", {"state": "cancelled"}, 0),
        ('{email: "BUYER-1@example.com"}', {"email": "BUYER-1@example.com"}, 1),
        (f'{{placedAfter: "{middle}"}}', {"placed_after": middle}, 2),
        (f'{{placedBefore: "{middle}"}}', {"placed_before": middle}, 2),
        (f'{{state: placed, placedBefore: "{middle}"}}', {"state": "placed", "placed_before": middle}, 1),
        ("{state: null, email: null, placedAfter: null}", {}, 4),
        ("null", {}, 4),
    ]

    for wanted, parameters, number in lists:
        rest = (await client.get("/public/v1/orders", params=parameters, headers=customer)).json()
        body = await ask(f"{{ orders(filter: {wanted}) {{ nodes {{ id }} totalCount }} }}", **customer)

        assert [node["id"] for node in body["data"]["orders"]["nodes"]] == [item["id"] for item in rest["items"]]
        assert body["data"]["orders"]["totalCount"] == rest["total"] == number


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("first: 0", "invalid_request"),
        ("first: 101", "invalid_request"),
        ('after: "nonsense"', "invalid_cursor"),
        ('filter: {state: "paid"}', "invalid_request"),
        ("filter: {state: returned}", "invalid_request"),
        ('filter: {placedAfter: "yesterday"}', "invalid_request"),
        ('filter: {placedAfter: "2026-03-01T12:00:00"}', "invalid_request"),
        ('filter: {placedBefore: "0001-01-01T00:00:00+14:00"}', "invalid_request"),
        ('filter: {placedBefore: "9999-12-31T23:59:59-14:00"}', "invalid_request"),
        ("filter: {number: 1}", "invalid_request"),
    ],
)
async def test_bad_argument_of_the_list_is_refused(
    ask: Ask, customer: dict[str, str], log_entries: LogEntries, arguments: str, code: str
) -> None:
    body = await ask(f"{{ orders({arguments}) {{ totalCount }} }}", **customer)

    assert error_of(body)["extensions"]["code"] == code
    assert log_entries.application == []


async def test_cursor_of_products_is_none_of_orders(ask: Ask, customer: dict[str, str]) -> None:
    page = await ask("{ products(first: 1) { pageInfo { endCursor } } }")
    cursor = page["data"]["products"]["pageInfo"]["endCursor"]

    body = await ask("query($c: String) { orders(after: $c) { totalCount } }", {"c": cursor}, **customer)

    assert error_of(body)["extensions"]["code"] == "invalid_cursor"


async def test_list_with_all_that_hangs_on_it_is_a_fixed_number_of_statements(
    ask: Ask, client: httpx2.AsyncClient, resources: Resources, customer: dict[str, str]
) -> None:
    await placed(client, customer, 6)
    query = "query($n: Int) { orders(first: $n) { nodes { ...All } } }" + ORDER

    with recorded(resources.database.reader) as one:
        few = await ask(query, {"n": 1}, **customer)
    with recorded(resources.database.reader) as six:
        many = await ask(query, {"n": 6}, **customer)
    with recorded(resources.database.reader) as counted:
        await ask("{ orders { nodes { id } totalCount } }", **customer)

    assert (len(few["data"]["orders"]["nodes"]), len(many["data"]["orders"]["nodes"])) == (1, 6)
    assert len(one) == len(six) == 2  # the caller, and all the rest
    assert [statement for statement in six if "count(" in statement] == []
    assert ["count(" in statement for statement in counted] == [False, True]  # the caller, and the rest


async def test_orders_by_id_are_read_together(
    ask: Ask, client: httpx2.AsyncClient, resources: Resources, customer: dict[str, str]
) -> None:
    ids = [order["id"] for order in await placed(client, customer, 5)]
    aliases = " ".join(f'o{index}: order(id: "{order_id}") {{ id }}' for index, order_id in enumerate(ids))

    with recorded(resources.database.reader) as sent:
        body = await ask(f"query($ids: [ID!]!) {{ {aliases} nodes(ids: $ids) {{ id }} }}", {"ids": ids}, **customer)

    assert [node["id"] for node in body["data"]["nodes"]] == ids
    assert [body["data"][f"o{index}"]["id"] for index in range(5)] == ids
    assert len(sent) == 2  # the caller, orders
