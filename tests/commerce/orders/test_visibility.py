"""Who sees and who changes whose orders."""

import pytest

from commerce.accounts.principal import ANONYMOUS, Principal, Role
from commerce.orders.commands import CancelOrder, PayOrder, ShipOrder
from commerce.orders.errors import OrderNotFound, OrderNotYours
from commerce.orders.filters import OrderFilter
from commerce.orders.reading import OrderReader
from commerce.orders.repository import OrderRepository
from core.database import Database
from core.errors import AppError
from tests.factories.catalogue import Catalogue
from tests.factories.orders import SHOP_KEY, Command, OrderDesk, a_person, key_of, only_variant

# Who, whether by a key of theirs, and what becomes of changing an order of another customer.
OTHERS: list[tuple[Role, bool, type[AppError] | None]] = [
    ("customer", False, OrderNotFound),
    ("customer", True, OrderNotFound),
    ("support", False, OrderNotYours),
    ("support", True, OrderNotYours),
    ("editor", False, OrderNotYours),
    ("editor", True, OrderNotYours),
    ("admin", False, None),
    ("admin", True, None),
]


async def seen_in_lists(database: Database, principal: Principal) -> list[str]:
    reader = OrderReader(database, principal)
    page = await reader.page(OrderFilter(), page=1, size=10)
    async with database.read() as session:
        part = await OrderRepository(session).slice(OrderFilter(), principal, limit=10, after=None, count=True)
    ids = [order.id for order in page.items]
    assert [order.id for order in part.items] == ids
    assert part.total == page.total == len(ids)
    assert [await reader.one(each) for each in ids] == page.items
    return ids


@pytest.mark.parametrize(("role", "by_key", "refusal"), OTHERS)
async def test_order_of_another(
    database: Database,
    desk: OrderDesk,
    catalogue: Catalogue,
    role: Role,
    by_key: bool,
    refusal: type[AppError] | None,
) -> None:
    person = await a_person(database, role)
    who = key_of(person) if by_key else person
    variant = only_variant(await catalogue.create())
    order = await desk.place((variant, 1), by=await a_person(database))
    before = await desk.everything()
    commands: list[Command] = [PayOrder(order.id), ShipOrder(order.id, "DHL"), CancelOrder(order.id)]

    sees = await desk.read(order.id, who)
    lists = await seen_in_lists(database, who)
    for command in commands[: 2 if refusal is None else 3]:
        if refusal is not None:
            with pytest.raises(refusal) as caught:
                await desk.do(command, who)
            assert type(caught.value) is refusal
        else:
            await desk.do(command, who)

    visible = refusal is not OrderNotFound
    assert sees == (order if visible else None)
    assert lists == ([order.id] if visible else [])
    assert (await desk.everything() == before) is (refusal is not None)


@pytest.mark.parametrize("role", ["customer", "support", "editor", "admin"])
@pytest.mark.parametrize("by_key", [False, True])
async def test_own_order(
    database: Database,
    desk: OrderDesk,
    catalogue: Catalogue,
    role: Role,
    by_key: bool,
) -> None:
    person = await a_person(database, role)
    who = key_of(person) if by_key else person
    order = await desk.place((only_variant(await catalogue.create()), 1), by=person)

    assert await desk.read(order.id, who) == order
    assert await seen_in_lists(database, who) == [order.id]
    assert (await desk.do(PayOrder(order.id), who)).state == "paid"
    assert (await desk.do(CancelOrder(order.id), who)).state == "cancelled"


async def test_shop_key_sees_and_changes_all_and_its_orders_are_nobodys(
    database: Database, desk: OrderDesk, catalogue: Catalogue
) -> None:
    customer = await a_person(database)
    variant = only_variant(await catalogue.create())
    theirs = await desk.place((variant, 1), by=customer)
    shops = await desk.place((variant, 1), by=SHOP_KEY)

    assert await seen_in_lists(database, SHOP_KEY) == [shops.id, theirs.id]
    assert (await desk.do(CancelOrder(theirs.id), SHOP_KEY)).state == "cancelled"
    assert (shops.user_id, theirs.user_id) == (None, customer.user_id)
    assert await seen_in_lists(database, customer) == [theirs.id]
    assert await seen_in_lists(database, ANONYMOUS) == []
    assert await desk.read(shops.id, ANONYMOUS) is None
    with pytest.raises(OrderNotFound):
        await desk.do(CancelOrder(shops.id), ANONYMOUS)
