"""Orders as a file: its bytes, whose orders are in it, and what it holds and asks for at once; on both databases."""

import csv
import io
import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.pool import QueuePool

from commerce.accounts.principal import ANONYMOUS, SCOPES_OF, Principal
from commerce.orders import export, export_formats
from commerce.orders.export import Format, export_orders
from commerce.orders.export_formats import Segment
from commerce.orders.filters import OrderFilter
from core.database import Database
from tests.factories.clocks import NOON
from tests.factories.order_rows import OrderRows, line
from tests.factories.statements import recorded

HEADER = (
    "number,id,state,email,placed_at,currency,sku,variant_id,title,quantity,unit_price,line_total,"
    "discount,shipping,subtotal,total,promotion_code\r\n"
)
EVERYTHING = OrderFilter()
SHOP = Principal("api_key", "key_shop", SCOPES_OF["customer"])


@pytest.fixture
def rows(database: Database) -> OrderRows:
    return OrderRows(database)


async def exported(
    database: Database, kind: Format, wanted: OrderFilter = EVERYTHING, principal: Principal = SHOP
) -> bytes:
    return b"".join([piece async for piece in export_orders(database, kind, wanted, principal)])


async def ids(database: Database, principal: Principal = SHOP, **wanted: Any) -> list[str]:
    lines = (await exported(database, "jsonl", OrderFilter(**wanted), principal)).splitlines()
    return [json.loads(each)["id"] for each in lines]


async def two_orders(rows: OrderRows) -> None:
    promotion = {"promotion_id": "promo_1", "promotion_code": "TEN", "promotion_title": "Ten off"}
    two_lines = (line(quantity=2), line(variant_id="var_2", sku=None, title='Cap, "wool"', unit_price=505))
    paid = await rows.add(*two_lines, state="shipped", discount=450, shipping=799, **promotion)
    await rows.pay(paid, amount=4852)
    await rows.ship(paid, tracking_number="JD01", tracking_url="https://dhl.example/JD01")
    odd = NOON + timedelta(hours=1, microseconds=120)
    await rows.add(line(unit_price=700), currency="JPY", email="ö@example.com", placed_at=odd)


async def test_csv_has_a_row_an_order_line(database: Database, rows: OrderRows) -> None:
    await two_orders(rows)

    content = await exported(database, "csv")

    order = "1001,ord_000001,shipped,ada@example.com,2026-03-01T12:01:00Z,USD"
    amounts = "4.50,7.99,45.03,48.52,TEN"
    assert content.decode() == (
        HEADER
        + f"{order},JKT-S,var_1,Rain Jacket,2,19.99,39.98,{amounts}\r\n"
        + f'{order},,var_2,"Cap, ""wool""",1,5.05,5.05,{amounts}\r\n'
        + "1002,ord_000002,placed,ö@example.com,2026-03-01T13:00:00.000120Z,JPY,"
        + "JKT-S,var_1,Rain Jacket,1,700,700,0,0,700,700,\r\n"
    )


def usd(amount: int) -> str:
    return f'{{"amount":{amount},"currency":"USD"}}'


async def test_json_lines_have_an_order_a_line(database: Database, rows: OrderRows) -> None:
    await two_orders(rows)

    content = await exported(database, "jsonl")

    first, second, end = content.decode().split("\n")
    assert first == (
        '{"id":"ord_000001","number":1001,"state":"shipped","email":"ada@example.com","lines":['
        f'{{"variant_id":"var_1","sku":"JKT-S","title":"Rain Jacket","quantity":2,"unit_price":{usd(1999)},'
        f'"total":{usd(3998)}}},'
        f'{{"variant_id":"var_2","sku":null,"title":"Cap, \\"wool\\"","quantity":1,"unit_price":{usd(505)},'
        f'"total":{usd(505)}}}],'
        '"promotion":{"id":"promo_1","code":"TEN","title":"Ten off"},'
        f'"subtotal":{usd(4503)},"discount":{usd(450)},"shipping":{usd(799)},"total":{usd(4852)},'
        f'"payments":[{{"id":"pay_1","amount":{usd(4852)},"reference":"ch_1","created_at":"2026-03-01T12:00:00Z"}}],'
        '"shipments":[{"id":"shp_1","carrier":"DHL","tracking_number":"JD01",'
        '"tracking_url":"https://dhl.example/JD01","created_at":"2026-03-01T12:00:00Z"}],'
        '"placed_at":"2026-03-01T12:01:00Z"}'
    )
    assert json.loads(second) == {
        "id": "ord_000002",
        "number": 1002,
        "state": "placed",
        "email": "ö@example.com",
        "lines": [
            {
                "variant_id": "var_1",
                "sku": "JKT-S",
                "title": "Rain Jacket",
                "quantity": 1,
                "unit_price": {"amount": 700, "currency": "JPY"},
                "total": {"amount": 700, "currency": "JPY"},
            }
        ],
        "promotion": None,
        "subtotal": {"amount": 700, "currency": "JPY"},
        "discount": {"amount": 0, "currency": "JPY"},
        "shipping": {"amount": 0, "currency": "JPY"},
        "total": {"amount": 700, "currency": "JPY"},
        "payments": [],
        "shipments": [],
        "placed_at": "2026-03-01T13:00:00.000120Z",
    }
    assert end == ""


async def test_cells_that_would_run_as_formulas_are_neutralised(database: Database, rows: OrderRows) -> None:
    promotion = {"promotion_id": "promo_1", "promotion_code": "@SUM(A1)", "promotion_title": "=t"}
    risky = line(sku="-1+2", title='=HYPERLINK("x")')
    await rows.add(risky, line(sku="'=1", title="\tx"), email="+a@example.com", **promotion)

    content = (await exported(database, "csv")).decode()
    whole = json.loads(await exported(database, "jsonl"))

    cells = list(csv.DictReader(io.StringIO(content, newline="")))
    assert [(row["email"], row["sku"], row["title"], row["promotion_code"]) for row in cells] == [
        ("'+a@example.com", "'-1+2", '\'=HYPERLINK("x")', "'@SUM(A1)"),
        ("'+a@example.com", "''=1", "'\tx", "'@SUM(A1)"),
    ]
    assert (whole["email"], whole["lines"][0]["title"]) == ("+a@example.com", '=HYPERLINK("x")')


async def test_shop_without_orders_has_the_header_alone(database: Database) -> None:
    assert (await exported(database, "csv")).decode() == HEADER
    assert await exported(database, "jsonl") == b""


async def test_narrowings_add_up(database: Database, rows: OrderRows) -> None:
    await rows.add_user("usr_a")
    await rows.add_user("usr_b")
    for user_id, state in (("usr_a", "placed"), ("usr_b", "placed"), ("usr_a", "paid"), (None, "paid")):
        await rows.add(user_id=user_id, state=state)
    second, third = NOON + timedelta(minutes=2), NOON + timedelta(minutes=3)

    assert await ids(database) == ["ord_000001", "ord_000002", "ord_000003", "ord_000004"]
    assert await ids(database, state="paid") == ["ord_000003", "ord_000004"]
    assert await ids(database, placed_after=second) == ["ord_000002", "ord_000003", "ord_000004"]
    assert await ids(database, placed_before=third) == ["ord_000001", "ord_000002"]
    assert await ids(database, placed_after=second, placed_before=third) == ["ord_000002"]
    a_customer = Principal("user", "usr_a", SCOPES_OF["customer"], user_id="usr_a", role="customer")
    assert await ids(database, a_customer, state="paid") == ["ord_000003"]


CUSTOMER = SCOPES_OF["customer"]


@pytest.mark.parametrize(
    "principal",
    [
        Principal("user", "usr_s", CUSTOMER, user_id="usr_s", role="support"),
        Principal("api_key", "key_e", CUSTOMER, user_id="usr_e", role="editor"),
        Principal("user", "usr_o", CUSTOMER, user_id="usr_o", role="admin"),
        SHOP,
    ],
)
async def test_staff_and_the_shop_see_all_orders(database: Database, rows: OrderRows, principal: Principal) -> None:
    await rows.add_user("usr_a")
    await rows.add(user_id="usr_a")
    await rows.add()

    assert await ids(database, principal) == ["ord_000001", "ord_000002"]


@pytest.mark.parametrize("kind", ["user", "api_key"])
async def test_customers_and_their_keys_see_their_own_orders(database: Database, rows: OrderRows, kind: Any) -> None:
    for user_id in ("usr_a", "usr_b"):
        await rows.add_user(user_id)
        await rows.add(user_id=user_id)
    await rows.add()

    assert await ids(database, Principal(kind, "x", CUSTOMER, user_id="usr_b", role="customer")) == ["ord_000002"]
    assert await ids(database, Principal(kind, "x", CUSTOMER, user_id="usr_new", role="customer")) == []
    assert await ids(database, ANONYMOUS) == []


class Watched:
    """Counts the lines of each piece."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lines: list[int] = []
        for name in ("csv_rows", "json_lines"):
            monkeypatch.setattr(export, name, self._counting(getattr(export_formats, name)))

    def _counting(self, render: Any) -> Any:
        def counting(segments: Iterable[Segment]) -> bytes:
            segments = list(segments)
            self.lines.append(sum(len(segment.lines) for segment in segments))
            done: bytes = render(segments)
            return done

        return counting


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Watched:
    monkeypatch.setattr(export, "ORDERS", 4)
    monkeypatch.setattr(export, "LINES", 5)
    return Watched(monkeypatch)


def checked_out(database: Database) -> int:
    pool = database.reader.pool
    assert isinstance(pool, QueuePool)
    return pool.checkedout()


async def test_file_is_the_same_however_it_is_cut(
    database: Database, rows: OrderRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    for count in (1, 5, 6, 13, 1, 1, 2, 10, 3):
        await rows.add(*(line(variant_id=f"var_{number}") for number in range(count)))
    same_moment = NOON + timedelta(days=1)
    await rows.add_many(9, placed_at=same_moment)
    whole = {kind: await exported(database, kind) for kind in ("csv", "jsonl")}

    for orders, lines in ((4, 5), (1, 1), (3, 100), (100, 2)):
        monkeypatch.setattr(export, "ORDERS", orders)
        monkeypatch.setattr(export, "LINES", lines)
        assert {kind: await exported(database, kind) for kind in ("csv", "jsonl")} == whole

    found = [json.loads(each) for each in whole["jsonl"].splitlines()]
    assert [len(order["lines"]) for order in found] == [1, 5, 6, 13, 1, 1, 2, 10, 3, *[1] * 9]
    assert [each["variant_id"] for each in found[3]["lines"]] == [f"var_{number}" for number in range(13)]
    assert whole["csv"].count(b"\r\n") == 1 + 42 + 9


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
async def test_lines_held_at_once_are_bounded(
    database: Database, rows: OrderRows, small: Watched, kind: Format
) -> None:
    await rows.add(*[line()] * 23)
    await rows.add_many(6, line(), line())

    await exported(database, kind)

    assert sum(small.lines) == 23 + 12
    assert max(small.lines) == 5


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
async def test_no_connection_is_held_between_pieces(database: Database, rows: OrderRows, kind: Format) -> None:
    await rows.add(*[line()] * 12)
    await rows.add_many(9)

    idle = [checked_out(database) async for _ in export_orders(database, kind, EVERYTHING, SHOP)]

    assert idle == [0] * 6


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(("kind", "of_a_batch"), [("csv", 3), ("jsonl", 5)])
async def test_batch_costs_as_many_statements_whatever_is_in_it(
    database: Database, rows: OrderRows, kind: Format, of_a_batch: int
) -> None:
    await rows.add_many(12)

    with recorded(database.reports) as sent:
        await exported(database, kind)

    assert len(sent) == 3 * of_a_batch


@pytest.mark.usefixtures("small")
async def test_nothing_more_is_read_when_nobody_reads_on(database: Database, rows: OrderRows) -> None:
    await rows.add_many(40)

    with recorded(database.reports) as sent:
        pieces = export_orders(database, "csv", EVERYTHING, SHOP)
        await anext(pieces)
        await anext(pieces)
        await pieces.aclose()

    assert len(sent) == 6
    assert checked_out(database) == 0


A_DAY = OrderFilter(placed_after=NOON, placed_before=NOON + timedelta(days=1))
ADAS = Principal("user", "usr_a", CUSTOMER, user_id="usr_a", role="customer")


@pytest.mark.parametrize(
    ("principal", "wanted", "index"),
    [
        (SHOP, OrderFilter(), "ix_orders_placed"),
        (SHOP, A_DAY, "ix_orders_placed"),
        (SHOP, OrderFilter(state="placed"), "ix_orders_state"),
        (SHOP, OrderFilter(state="placed", placed_after=NOON), "ix_orders_state"),
        (SHOP, OrderFilter(state="placed", email="ada@example.com"), "ix_orders_email"),
        (ADAS, OrderFilter(), "ix_orders_user"),
        (ADAS, A_DAY, "ix_orders_user"),
        (ADAS, OrderFilter(state="placed", email="ada@example.com"), "ix_orders_user"),
    ],
)
async def test_batches_walk_an_index_and_sort_nothing(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch, wanted: OrderFilter, principal: Principal, index: str
) -> None:
    monkeypatch.setattr(export, "ORDERS", 2)
    rows = OrderRows(sqlite_database)
    await rows.add_user("usr_a")
    await rows.add_many(5, user_id="usr_a")

    with recorded(sqlite_database.reader) as sent:
        await exported(sqlite_database, "csv", wanted, principal)

    pages = [statement for statement in sent if "FROM orders" in statement]
    assert len(pages) == 3
    async with sqlite_database.read() as session:
        plan = await session.execute(text(f"EXPLAIN QUERY PLAN {bound(pages[1])}"))
        steps = [row.detail for row in plan]
    assert len(steps) == 1
    assert f"SEARCH orders USING INDEX {index} " in steps[0]


def bound(statement: str) -> str:
    """The plan does not depend on the values."""
    return statement.replace("?", "'1'")
