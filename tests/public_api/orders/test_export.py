"""All orders as a streamed file: its headers, who gets which orders, and what happens while it is sent."""

import json
import zlib
from datetime import timedelta

import httpx2
import pytest
from sqlalchemy.pool import QueuePool

from commerce.orders import export
from core.database import Database, DatabaseUnavailable
from core.resources import Resources
from tests.factories.clocks import NOON
from tests.factories.order_rows import OrderRows, line
from tests.factories.people import a_user, signed_in
from tests.factories.statements import recorded
from tests.fixtures.application import LogEntries, key_with
from tests.fixtures.asgi import Served, exchange
from tests.fixtures.probes import read_error

EXPORT = "/public/v1/orders/export"
KINDS = [("csv", "text/csv; charset=utf-8"), ("jsonl", "application/x-ndjson")]


@pytest.fixture
def rows(resources: Resources) -> OrderRows:
    return OrderRows(resources.database)


@pytest.fixture
async def shop_key(resources: Resources) -> dict[str, str]:
    return await key_with(resources, "orders:read")


async def ids(client: httpx2.AsyncClient, headers: dict[str, str], **query: str) -> list[str]:
    response = await client.get(EXPORT, params={"format": "jsonl", **query}, headers=headers)
    assert response.status_code == 200
    return [json.loads(each)["id"] for each in response.text.splitlines()]


@pytest.mark.parametrize(("kind", "media_type"), KINDS)
async def test_file_is_an_attachment_named_for_the_day(
    client: httpx2.AsyncClient, resources: Resources, shop_key: dict[str, str], kind: str, media_type: str
) -> None:
    response = await client.get(EXPORT, params={"format": kind}, headers=shop_key)

    today = resources.clock.now().date()
    assert response.status_code == 200
    assert response.headers["content-type"] == media_type
    assert response.headers["content-disposition"] == f'attachment; filename="orders-{today}.{kind}"'
    assert response.headers["cache-control"] == "private, no-store"


async def test_csv_is_the_default(client: httpx2.AsyncClient, rows: OrderRows, shop_key: dict[str, str]) -> None:
    await rows.add(line(quantity=2, title="=1+1"))

    response = await client.get(EXPORT, headers=shop_key)

    assert response.text == (
        "number,id,state,email,placed_at,currency,sku,variant_id,title,quantity,unit_price,line_total,"
        "discount,shipping,subtotal,total,promotion_code\r\n"
        "1001,ord_000001,placed,ada@example.com,2026-03-01T12:01:00Z,USD,JKT-S,var_1,'=1+1,2,19.99,39.98,"
        "0.00,0.00,39.98,39.98,\r\n"
    )


async def test_json_lines_are_orders_as_they_are_read_one_by_one(
    client: httpx2.AsyncClient, rows: OrderRows, shop_key: dict[str, str]
) -> None:
    promotion = {"promotion_id": "promo_1", "promotion_code": None, "promotion_title": "Ten off"}
    full = await rows.add(line(quantity=3), line(sku=None), state="shipped", discount=100, shipping=7, **promotion)
    for number in (2, 1):
        await rows.pay(full, id=f"pay_{number}", reference=f"ch_{number}")
        await rows.ship(full, id=f"shp_{number}", tracking_number="JD01")
    await rows.add(placed_at=NOON + timedelta(hours=1, microseconds=7))

    response = await client.get(EXPORT, params={"format": "jsonl"}, headers=shop_key)

    found = [json.loads(each) for each in response.text.splitlines()]
    assert len(found) == 2
    for order in found:
        assert (await client.get(f"/public/v1/orders/{order['id']}", headers=shop_key)).json() == order


async def test_customers_get_their_own_orders_and_staff_all(
    client: httpx2.AsyncClient, resources: Resources, rows: OrderRows, shop_key: dict[str, str]
) -> None:
    ada, bob = await a_user(resources), await a_user(resources)
    support = await signed_in(resources, await a_user(resources, "support"))
    for user_id in (ada.id, bob.id, None, ada.id):
        await rows.add(user_id=user_id)

    everybody = ["ord_000001", "ord_000002", "ord_000003", "ord_000004"]
    assert await ids(client, await signed_in(resources, ada)) == ["ord_000001", "ord_000004"]
    assert await ids(client, await signed_in(resources, bob)) == ["ord_000002"]
    assert await ids(client, support) == everybody
    assert await ids(client, shop_key) == everybody


async def test_file_is_narrowed_as_the_list_is(
    client: httpx2.AsyncClient, rows: OrderRows, shop_key: dict[str, str]
) -> None:
    for state in ("placed", "paid", "paid", "placed"):
        await rows.add(state=state)

    assert await ids(client, shop_key, state="paid") == ["ord_000002", "ord_000003"]
    assert await ids(client, shop_key, placed_after="2026-03-01T13:03:00+01:00") == ["ord_000003", "ord_000004"]
    assert await ids(client, shop_key, placed_before="2026-03-01T12:02:00Z") == ["ord_000001"]
    assert await ids(client, shop_key, placed_after="0001-01-01T00:00:00+14:00") == [
        "ord_000001",
        "ord_000002",
        "ord_000003",
        "ord_000004",
    ]


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("format=xml", "/query/format"),
        ("state=gone", "/query/state"),
        ("placed_after=2026-03-01T12:00:00", "/query/placed_after"),
        ("placed_before=soon", "/query/placed_before"),
        ("stat=paid", "/query/stat"),
    ],
)
async def test_unknown_wish_is_refused(
    client: httpx2.AsyncClient, shop_key: dict[str, str], query: str, place: str
) -> None:
    response = await client.get(f"{EXPORT}?{query}", headers=shop_key)

    assert response.status_code == 422
    assert [fault["pointer"] for fault in response.json()["errors"]] == [place]


async def test_export_needs_the_scope(client: httpx2.AsyncClient, resources: Resources) -> None:
    other = await key_with(resources, "orders:write", "catalog:read")

    with recorded(resources.database.reader) as sent:
        anonymous = await client.get(EXPORT)
        denied = await client.get(EXPORT, headers=other)

    assert (anonymous.status_code, read_error("v1", anonymous).code) == (401, "unauthenticated")
    assert (denied.status_code, read_error("v1", denied).code) == (403, "missing_scope")
    assert [statement for statement in sent if "FROM orders" in statement] == []


@pytest.mark.parametrize(("kind", "media_type"), KINDS)
async def test_head_has_the_headers_and_reads_no_orders(
    client: httpx2.AsyncClient,
    resources: Resources,
    rows: OrderRows,
    shop_key: dict[str, str],
    kind: str,
    media_type: str,
) -> None:
    await rows.add()

    with recorded(resources.database.reader) as sent:
        response = await client.head(EXPORT, params={"format": kind}, headers=shop_key)

    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-type"] == media_type
    assert "attachment" in response.headers["content-disposition"]
    assert "content-length" not in response.headers
    assert [statement for statement in sent if "FROM orders" in statement] == []


async def test_database_that_goes_away_before_the_first_byte_is_a_503(
    client: httpx2.AsyncClient, rows: OrderRows, shop_key: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await rows.add()

    async def away(*_: object, **__: object) -> None:
        raise DatabaseUnavailable

    monkeypatch.setattr(export._Queries, "orders", away)

    for kind, _ in KINDS:
        response = await client.get(EXPORT, params={"format": kind}, headers=shop_key)
        assert (response.status_code, read_error("v1", response).code) == (503, "database_unavailable")


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
async def test_file_is_compressed_as_it_goes(
    client: httpx2.AsyncClient, rows: OrderRows, shop_key: dict[str, str], kind: str
) -> None:
    await rows.add_many(600)
    plain = await client.get(EXPORT, params={"format": kind}, headers={**shop_key, "Accept-Encoding": "identity"})
    headers = {**shop_key, "Accept-Encoding": "gzip"}

    async with client.stream("GET", EXPORT, params={"format": kind}, headers=headers) as packed:
        raw = b"".join([part async for part in packed.aiter_raw()])

    assert packed.headers["content-encoding"] == "gzip"
    assert len(raw) < len(plain.content) / 5
    assert zlib.decompress(raw, wbits=31) == plain.content


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "ORDERS", 5)
    monkeypatch.setattr(export, "LINES", 8)


def held(database: Database) -> int:
    pool = database.reader.pool
    assert isinstance(pool, QueuePool)
    return pool.checkedout()


@pytest.mark.usefixtures("log_entries", "small_batches")
async def test_slow_client_holds_no_connection(
    served: Served, resources: Resources, rows: OrderRows, shop_key: dict[str, str]
) -> None:
    await rows.add_many(40, line(), line())
    in_use: list[int] = []

    answer = await exchange(
        served, "GET", EXPORT, list(shop_key.items()), on_chunk=lambda _: in_use.append(held(resources.database))
    )

    assert answer.complete
    assert in_use == [0] * 16


@pytest.mark.usefixtures("small_batches")
async def test_nothing_is_read_any_more_when_the_client_has_left(
    served: Served, resources: Resources, rows: OrderRows, shop_key: dict[str, str], log_entries: LogEntries
) -> None:
    await rows.add_many(200)

    with recorded(resources.database.reader) as sent:
        answer = await exchange(served, "GET", EXPORT, list(shop_key.items()), leave_after=3)

    assert not answer.complete
    assert 3 <= len(answer.chunks) <= 4
    assert len([statement for statement in sent if "FROM orders" in statement]) <= 5
    assert held(resources.database) == 0
    assert log_entries.application == []


async def test_document_has_the_export_with_both_types(client: httpx2.AsyncClient) -> None:
    document = (await client.get("/public/v1/openapi.json")).json()

    operation = document["paths"]["/orders/export"]["get"]
    assert operation["summary"] == "Export orders"
    assert set(operation["responses"]["200"]["content"]) == {"text/csv", "application/x-ndjson"}
    assert [each["name"] for each in operation["parameters"]] == ["format", "state", "placed_after", "placed_before"]
