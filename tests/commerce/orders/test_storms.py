"""Many clients at once: nothing is sold twice, nothing is given back twice, and a key is good once."""

import asyncio
from collections import Counter
from collections.abc import Awaitable
from dataclasses import replace

import pytest
from pydantic import SecretStr

from commerce.accounts.principal import Principal
from commerce.catalog.commands import ProductData
from commerce.catalog.service import CatalogService
from commerce.orders.commands import CancelOrder, PayOrder, ShipOrder
from commerce.orders.entities import ORDER, Order
from commerce.orders.errors import InvalidOrderState, OutOfStock
from core.database import WriteSession
from core.errors import AppError
from core.idempotency import Answer, Idempotency, IdempotencyKeyReused, OnceKey
from core.sealing import Keyring
from tests.factories.catalogue import Catalogue
from tests.factories.orders import SHOP_KEY, Command, OrderDesk, a_person, act, an_order, only_variant
from tests.factories.products import a_variant, sized

CLIENTS = 16
LAST = 10


class Door:
    """Commands under keys, as REST and GraphQL send them."""

    def __init__(self, desk: OrderDesk) -> None:
        self._desk = desk
        self._once = Idempotency(desk.database, desk.clock, Keyring(SecretStr("s" * 32)))

    async def send(self, key: str | None, command: Command, principal: Principal = SHOP_KEY) -> Answer[Order]:
        async def action(session: WriteSession) -> Order:
            return await act(session, self._desk.clock, command, principal, self._desk.jobs)

        once = OnceKey(principal.name, key) if key is not None else None
        return await self._once.run(once, command, action, ORDER)


async def outcomes(*calls: Awaitable[Answer[Order] | Order]) -> Counter[str]:
    """How often each code; `replayed` and `done` for what is no refusal."""
    answers = await asyncio.gather(*calls, return_exceptions=True)
    names: Counter[str] = Counter()
    for answer in answers:
        if isinstance(answer, AppError):
            names[f"{answer.code}{' replayed' if answer.replayed else ''}"] += 1
        elif isinstance(answer, BaseException):
            raise answer
        else:
            names["replayed" if isinstance(answer, Answer) and answer.replayed else "done"] += 1
    return names


@pytest.fixture
def door(desk: OrderDesk) -> Door:
    return Door(desk)


@pytest.fixture
async def variant(catalogue: Catalogue) -> str:
    return only_variant(await catalogue.create(variants=(a_variant(price=1000, stock=LAST),)))


@pytest.mark.parametrize("attempt", [1, 2, 3])
async def test_sixteen_clients_buy_the_last_ten(
    desk: OrderDesk, door: Door, catalogue: Catalogue, variant: str, attempt: int
) -> None:
    people = [await a_person(desk.database) for _ in range(CLIENTS)]
    order = an_order((variant, 1))

    seen = await outcomes(*(door.send(f"key-{attempt}", order, person) for person in people))

    assert seen == {"done": LAST, "out_of_stock": CLIENTS - LAST}
    assert (await desk.stock(variant), await desk.sold(variant)) == (0, LAST)
    (product,) = (await catalogue.everything()).values()
    assert product.head.version == 1 + LAST
    stocks = [data["stock"] for kind, _, data in await desk.events() if kind == "stock.changed"]
    assert stocks == list(reversed(range(LAST)))


async def test_orders_of_several_products_in_any_order_do_not_wait_for_each_other_for_ever(
    desk: OrderDesk, catalogue: Catalogue
) -> None:
    ids = [only_variant(await catalogue.create(handle=f"p-{n}", variants=(a_variant(stock=8),))) for n in range(3)]
    turned = [ids[turn % 3 :] + ids[: turn % 3] for turn in range(CLIENTS)]

    seen = await outcomes(*(desk.place(*((variant, 1) for variant in lines)) for lines in turned))

    assert seen == {"done": 8, "out_of_stock": 8}
    assert [await desk.stock(variant) for variant in ids] == [0, 0, 0]


async def test_sales_and_returns_at_once_keep_the_sum(desk: OrderDesk, catalogue: Catalogue) -> None:
    product = await catalogue.create(**sized("S", "M", stock=LAST))
    small, medium = (variant.id for variant in product.variants)
    orders = [await desk.place((small, 1), (medium, 1)) for _ in range(6)]

    await outcomes(
        *(desk.do(CancelOrder(order.id)) for order in orders[:4]),
        *(desk.place((medium, 2), (small, 1)) for _ in range(8)),
    )

    for variant in (small, medium):
        assert await desk.stock(variant) == LAST - await desk.sold(variant)
        assert (await desk.stock(variant) or 0) >= 0


async def test_sales_beside_changes_of_the_product_are_not_lost(desk: OrderDesk, catalogue: Catalogue) -> None:
    """A change writes a variant as it read it, with its stock."""
    product = await catalogue.create(variants=(a_variant(price=1000, stock=50, sku="JKT"),))
    variant = only_variant(product)

    async def reprice(price: int) -> None:
        def change(data: ProductData) -> ProductData:
            return replace(data, variants=tuple(replace(each, price=price) for each in data.variants))

        async with desk.database.write() as session:
            await CatalogService(session, desk.clock).update(product.head.id, change)

    await asyncio.gather(
        *(desk.place((variant, 1)) for _ in range(CLIENTS)), *(reprice(1000 + number) for number in range(CLIENTS))
    )

    assert (await desk.stock(variant), await desk.sold(variant)) == (50 - CLIENTS, CLIENTS)
    assert await desk.version(product) > 1 + CLIENTS


async def test_cancelling_at_once_gives_the_stock_back_once(desk: OrderDesk, variant: str) -> None:
    order = await desk.place((variant, 4))

    seen = await outcomes(*(desk.do(CancelOrder(order.id)) for _ in range(8)))

    assert seen == {"done": 1, "invalid_order_state": 7}
    assert await desk.stock(variant) == LAST


async def test_either_shipped_or_cancelled_never_both(desk: OrderDesk, variant: str) -> None:
    order = await desk.paid((variant, 4))

    await outcomes(*(desk.do(kind) for kind in (CancelOrder(order.id), ShipOrder(order.id, "DHL")) * 4))

    after = await desk.read(order.id)
    assert after is not None
    expected = {"cancelled": (0, LAST), "shipped": (4, LAST - 4)}[after.state]
    assert (len(after.shipments), await desk.stock(variant)) == expected


async def test_payments_at_once_never_exceed_what_is_due(desk: OrderDesk, variant: str) -> None:
    order = await desk.place((variant, 1))

    seen = await outcomes(*(desk.do(PayOrder(order.id, 400, reference=f"ch_{n}")) for n in range(8)))

    assert seen == {"done": 2, "overpayment": 6}
    after = await desk.read(order.id)
    assert after is not None
    assert (after.state, after.due.amount) == ("placed", 200)


async def test_eight_clients_with_one_key_make_one_order(desk: OrderDesk, door: Door, variant: str) -> None:
    order = an_order((variant, 1))

    seen = await outcomes(*(door.send("key", order) for _ in range(8)))
    again = await door.send("key", order)

    assert seen["done"] == 1
    assert seen["replayed"] + seen["idempotency_in_progress"] == 7
    assert (again.replayed, await desk.read(again.value.id)) == (True, again.value)
    assert (await desk.sold(variant), await desk.stock(variant)) == (1, LAST - 1)


async def test_eight_processes_with_one_key_make_one_order(desk: OrderDesk, variant: str) -> None:
    """Each with a store of its own; on SQLite they wait for the one writer."""
    order = an_order((variant, 1))

    seen = await outcomes(*(Door(desk).send("key", order) for _ in range(8)))

    assert seen["done"] == 1
    assert seen["replayed"] + seen["idempotency_in_progress"] == 7
    assert await desk.sold(variant) == 1


async def test_key_with_another_order_is_refused_and_orders_nothing(desk: OrderDesk, door: Door, variant: str) -> None:
    await door.send("key", an_order((variant, 1)))
    before = await desk.everything()

    with pytest.raises(IdempotencyKeyReused):
        await door.send("key", an_order((variant, 2)))

    assert await desk.everything() == before


async def test_refusal_is_answered_again_though_there_is_stock_by_now(
    desk: OrderDesk, door: Door, catalogue: Catalogue
) -> None:
    product = await catalogue.create(handle="cap", variants=(a_variant(stock=0, sku="CAP"),))
    order = an_order((only_variant(product), 1))
    with pytest.raises(OutOfStock) as first:
        await door.send("key", order)
    await catalogue.update(product, variants=(a_variant(stock=5, sku="CAP"),))
    before = await desk.everything()

    with pytest.raises(OutOfStock) as again:
        await door.send("key", order)

    assert (first.value.replayed, again.value.replayed) == (False, True)
    assert vars(again.value) == vars(first.value) | {"replayed": True}
    assert (again.value.sku, again.value.requested, again.value.available) == ("CAP", 1, 0)
    assert await desk.everything() == before


async def test_refusal_of_a_change_of_state_is_answered_again(desk: OrderDesk, door: Door, variant: str) -> None:
    order = await desk.place((variant, 1))
    command = ShipOrder(order.id, "DHL")
    with pytest.raises(InvalidOrderState):
        await door.send("key", command)
    await desk.do(PayOrder(order.id))

    with pytest.raises(InvalidOrderState) as again:
        await door.send("key", command)

    assert (again.value.replayed, again.value.state) == (True, "placed")
    assert (await door.send("other", command)).value.state == "shipped"
