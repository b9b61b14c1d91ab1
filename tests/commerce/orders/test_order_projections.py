"""What the database writes of orders is what the schemas would have written of the entities, sums and all."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic_core import from_json

from commerce.accounts.principal import ANONYMOUS, Principal
from commerce.orders.filters import OrderFilter
from commerce.orders.reading import OrderReader
from commerce.orders.repository import OrderRepository
from commerce.orders.rules import MAX_LINES, MAX_QUANTITY
from core.database import Database
from core.money import MAX_AMOUNT
from public_api.orders.schemas import Order, order_schema
from tests.factories.order_rows import OrderRows, line
from tests.factories.orders import SHOP_KEY, a_person, key_of
from tests.factories.statements import recorded

ODD = "\"'\\/\b\f\n\r\t\x01\x1f\x7f\u2028\u2029é日本\U0001f600 {} [] , : null ' || x || '"
DEAREST = [
    line(variant_id=f"var_{number}", quantity=MAX_QUANTITY, unit_price=MAX_AMOUNT) for number in range(MAX_LINES)
]
PROMOTION = {"promotion_id": "promo_1", "promotion_code": None, "promotion_title": ODD}
LATEST = datetime(9999, 12, 31, 23, 59, 59, 999_998, UTC)


@pytest.fixture
def rows(database: Database) -> OrderRows:
    return OrderRows(database)


async def by_the_schema(database: Database, order_id: str) -> str:
    async with database.read() as session:
        order = await OrderRepository(session).get(order_id, SHOP_KEY)
    assert order is not None
    return order_schema(order).model_dump_json()


async def test_orders_are_written_as_the_schema_writes_them(database: Database, rows: OrderRows) -> None:
    user = await rows.add_user("usr_1")
    ids = [
        await rows.add(*DEAREST, shipping=MAX_AMOUNT, discount=MAX_LINES * MAX_QUANTITY * MAX_AMOUNT),
        await rows.add(*DEAREST, shipping=MAX_AMOUNT, **PROMOTION),
        await rows.add(line(quantity=3, unit_price=333), discount=1, shipping=2, currency="JPY", user_id=user),
        await rows.add(line(title=ODD, sku=None, unit_price=0), line(title="", sku=ODD), email=ODD),
        await rows.add(placed_at=datetime(1, 1, 1, 0, 0, 0, 1, UTC), state="cancelled"),
        await rows.add(placed_at=LATEST, updated_at=LATEST, **PROMOTION | {"promotion_code": ODD}),
    ]
    for name in ("b", "a", "c"):
        await rows.pay(ids[2], id=f"pay_{name}", reference=ODD + name, amount=MAX_AMOUNT, currency="JPY")
        await rows.ship(ids[2], id=f"shp_{name}", carrier=ODD, tracking_number=None, tracking_url=ODD)
    reader = OrderReader(database, SHOP_KEY)

    with recorded(database.reader) as sent:
        found = [await reader.one(order_id) for order_id in ids]
        page = await reader.page(OrderFilter(), page=1, size=100)

    assert len(sent) == len(ids) + 1
    written = [item.json if item else "" for item in found]
    assert written == [await by_the_schema(database, order_id) for order_id in ids]
    assert [from_json(json)["total"]["amount"] for json in written[:3]] == [
        MAX_AMOUNT,
        MAX_LINES * MAX_QUANTITY * MAX_AMOUNT + MAX_AMOUNT,
        3 * 333 - 1 + 2,
    ]
    assert {item.id: item.json for item in page.items} == dict(zip(ids, written, strict=True))
    for json in written:
        assert set(from_json(json)) == set(Order.model_json_schema(mode="serialization")["properties"])


async def test_keys_are_those_of_the_orders(database: Database, rows: OrderRows) -> None:
    order_id = await rows.add(version=7)
    reader = OrderReader(database, SHOP_KEY)

    key = await reader.one(order_id, only_keys=True)
    page = await reader.page(OrderFilter(), page=1, size=1, only_keys=True)

    assert key is not None
    assert (key.json, key.id, key.version) == ("", order_id, 7)
    assert page.items == [key]


async def test_one_readers_statement_is_not_anothers(database: Database, rows: OrderRows) -> None:
    """The statements are kept for all callers; whose orders they find comes with each call."""
    people = [await a_person(database), await a_person(database)]
    for person in people:
        await rows.add(user_id=person.user_id)
    staff = await a_person(database, "support")
    seen: dict[str, Any] = {}
    readers: dict[str, Principal] = {
        "ada": people[0],
        "bob": people[1],
        "bob's key": key_of(people[1]),
        "staff": staff,
        "anonymous": ANONYMOUS,
        "ada again": people[0],
    }

    for name, who in readers.items():
        page = await OrderReader(database, who).page(OrderFilter(), page=1, size=10)
        ones = [await OrderReader(database, who).one(f"ord_{number:06}") for number in (1, 2)]
        seen[name] = [item.id for item in page.items]
        assert sorted(item.id for item in ones if item) == sorted(seen[name])
        assert page.total == len(seen[name])

    assert seen == {
        "ada": ["ord_000001"],
        "bob": ["ord_000002"],
        "bob's key": ["ord_000002"],
        "staff": ["ord_000002", "ord_000001"],
        "anonymous": [],
        "ada again": ["ord_000001"],
    }


@pytest.mark.parametrize("text", ["' OR '1'='1", "'; DROP TABLE orders; --", "?", "$1", ":user_id", "\0", "\ud800", ""])
async def test_no_text_is_taken_for_sql(database: Database, rows: OrderRows, text: str) -> None:
    await rows.add()
    reader = OrderReader(database, SHOP_KEY)

    found = await reader.one(text), (await reader.page(OrderFilter(email=text), page=1, size=10)).items

    assert found == (None, [])
    assert (await reader.page(OrderFilter(), page=1, size=10)).total == 1
