"""Paying, cancelling and shipping: what each does, once, and what it refuses."""

from typing import Any

import pytest

from commerce.orders.commands import CancelOrder, PayOrder, ShipOrder
from commerce.orders.entities import STATES, Order, State
from commerce.orders.errors import InvalidOrderState, OrderNotFound, Overpayment, PaymentReferenceUsed
from core.database import Database
from core.errors import AppError, Invalid
from core.money import CurrencyMismatch, Money
from tests.factories.catalogue import Catalogue
from tests.factories.clocks import FakeClock
from tests.factories.orders import SHOP_KEY, Command, OrderDesk, a_person, only_variant
from tests.factories.products import a_variant


@pytest.fixture
async def variant(catalogue: Catalogue) -> str:
    return only_variant(await catalogue.create(variants=(a_variant(price=1000, stock=10, sku="JKT"),)))


def pay(order: Order, amount: int | None = None, **more: Any) -> PayOrder:
    return PayOrder(order.id, amount, **more)


def usd(amount: int) -> Money:
    return Money(amount, "USD")


async def test_payment_without_an_amount_pays_what_is_due(desk: OrderDesk, variant: str, clock: FakeClock) -> None:
    order = await desk.place((variant, 2), shipping=usd(500))
    clock.advance(hours=1)

    paid = await desk.do(pay(order))

    (payment,) = paid.payments
    assert (paid.state, paid.version, paid.paid, paid.due) == ("paid", 2, usd(2500), usd(0))
    assert (payment.amount, payment.reference, payment.created_at) == (usd(2500), payment.id, clock.now())
    assert paid.updated_at == clock.now() != paid.placed_at
    assert await desk.read(order.id) == paid


async def test_order_is_paid_once_nothing_is_due(desk: OrderDesk, variant: str) -> None:
    order = await desk.place((variant, 2))

    part = await desk.do(pay(order, 1999, reference="a"))
    rest = await desk.do(pay(order, reference="b"))

    assert (part.state, part.due) == ("placed", usd(1))
    assert (rest.state, [payment.amount.amount for payment in rest.payments]) == ("paid", [1999, 1])
    assert [kind for kind, *_ in await desk.events()] == ["order.placed", "stock.changed", "order.paid"]


@pytest.mark.parametrize("amount", [1000, None])
async def test_same_reference_and_amount_again_change_nothing(
    desk: OrderDesk, variant: str, amount: int | None
) -> None:
    order = await desk.place((variant, 1))
    paid = await desk.do(pay(order, 1000, reference="ch_1"))
    before = await desk.everything()

    again = await desk.do(pay(order, amount, reference="ch_1"))

    assert again == paid
    assert await desk.everything() == before


async def test_one_reference_may_be_used_for_two_orders(desk: OrderDesk, variant: str) -> None:
    orders = [await desk.place((variant, 1)) for _ in range(2)]

    paid = [await desk.do(pay(order, reference="ch_1")) for order in orders]

    assert [order.state for order in paid] == ["paid", "paid"]


@pytest.mark.parametrize(
    ("changes", "error", "pointer"),
    [
        ({"amount": 1501}, Overpayment, "/amount/amount"),
        ({"amount": 2**70}, Overpayment, "/amount/amount"),
        ({"amount": 0}, Invalid, "/amount/amount"),
        ({"amount": -5}, Invalid, "/amount/amount"),
        ({"currency": "EUR"}, CurrencyMismatch, "/amount/currency"),
        ({"amount": 1, "reference": " "}, Invalid, "/reference"),
        ({"amount": 1, "reference": "x" * 256}, Invalid, "/reference"),
        ({"amount": 1, "reference": "a\0"}, Invalid, "/reference"),
        ({"amount": 1, "reference": "ch_1"}, PaymentReferenceUsed, None),
        ({"order_id": "ord_none"}, OrderNotFound, None),
        ({"order_id": "ord\0"}, OrderNotFound, None),
    ],
)
async def test_payment_that_breaks_a_rule_is_refused_and_changes_nothing(
    desk: OrderDesk, variant: str, changes: dict[str, Any], error: type[AppError], pointer: str | None
) -> None:
    order = await desk.place((variant, 2))
    await desk.do(pay(order, 500, reference="ch_1"))
    before = await desk.everything()

    with pytest.raises(error) as caught:
        await desk.do(PayOrder(**{"order_id": order.id} | changes))

    assert type(caught.value) is error
    assert [fault.pointer for fault in caught.value.errors] == ([pointer] if pointer else [])
    assert await desk.everything() == before


@pytest.mark.parametrize("paid", [False, True])
async def test_cancelling_gives_the_stock_back(
    desk: OrderDesk, catalogue: Catalogue, variant: str, *, paid: bool
) -> None:
    hat = await catalogue.create(handle="hat")
    lines = ((variant, 3), (only_variant(hat), 2))
    order = await (desk.paid(*lines) if paid else desk.place(*lines))
    jacket = (await catalogue.everything())["rain-jacket"]

    cancelled = await desk.do(CancelOrder(order.id))

    assert (cancelled.state, cancelled.payments) == ("cancelled", order.payments)
    assert await desk.stock(variant) == 10
    assert await desk.stock(only_variant(hat)) is None
    assert (await desk.version(jacket), await desk.version(hat)) == (jacket.head.version + 1, 1)
    kinds = [(kind, data.get("stock")) for kind, _, data in await desk.events()]
    assert kinds[-2:] == [("order.cancelled", None), ("stock.changed", 10)]
    (*_, (actor, action, before, after)) = await desk.audited(order.id)
    assert (actor, action) == ("api_key:shop", "order.cancel")
    assert (before, after) == (
        {"state": order.state, "version": order.version},
        {"state": "cancelled", "version": order.version + 1},
    )


async def test_stock_returns_only_to_variants_that_are_there_and_were_tracked_before_and_after(
    desk: OrderDesk, catalogue: Catalogue
) -> None:
    products = {
        name: await catalogue.create(handle=name, variants=(a_variant(stock=stock),))
        for name, stock in {"gone": 5, "untracked": 5, "tracked-since": None, "draft": 5}.items()
    }
    ids = {name: only_variant(product) for name, product in products.items()}
    order = await desk.place(*((variant, 2) for variant in ids.values()))
    await catalogue.delete(products["gone"].head.id)
    await catalogue.update(products["untracked"], variants=(a_variant(stock=None),))
    await catalogue.update(products["tracked-since"], variants=(a_variant(stock=7),))
    await catalogue.update(products["draft"], status="draft")
    versions = {name: await desk.version(products[name]) for name in ids if name != "gone"}
    told = len(await desk.events())

    await desk.do(CancelOrder(order.id))

    assert [await desk.stock(variant) for variant in ids.values()] == [None, None, 7, 5]
    after = {name: await desk.version(products[name]) for name in versions}
    assert after == versions | {"draft": versions["draft"] + 1}
    ((kind, *_), (stock, visibility, data)) = (await desk.events())[told:]
    assert (kind, stock, visibility, data["stock"]) == ("order.cancelled", "stock.changed", "editors", 5)


async def test_cancelling_twice_is_refused_and_gives_nothing_back(desk: OrderDesk, variant: str) -> None:
    order = await desk.place((variant, 3))
    await desk.do(CancelOrder(order.id))
    before = await desk.everything()

    with pytest.raises(InvalidOrderState, match="cancelled"):
        await desk.do(CancelOrder(order.id))

    assert await desk.everything() == before
    assert await desk.stock(variant) == 10


async def test_parcels_are_recorded_and_told_one_by_one(desk: OrderDesk, variant: str) -> None:
    order = await desk.paid((variant, 1))

    await desk.do(ShipOrder(order.id, "DHL", "0034", "HTTPS://Track.example.com/0034?a=b c"))
    shipped = await desk.do(ShipOrder(order.id, "Post"))

    assert (shipped.state, shipped.version) == ("shipped", 4)
    assert [(each.carrier, each.tracking_number, each.tracking_url) for each in shipped.shipments] == [
        ("DHL", "0034", "https://track.example.com/0034?a=b%20c"),
        ("Post", None, None),
    ]
    assert [kind for kind, *_ in await desk.events()][-2:] == ["order.shipped", "order.shipped"]
    assert [action for _, action, *_ in await desk.audited(order.id)][-2:] == ["order.ship", "order.ship"]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"carrier": ""}, "/carrier"),
        ({"carrier": "x" * 256}, "/carrier"),
        ({"tracking_number": "\0"}, "/tracking_number"),
        ({"tracking_url": "javascript:alert(1)"}, "/tracking_url"),
        ({"tracking_url": "ftp://example.com/1"}, "/tracking_url"),
        ({"tracking_url": "https://"}, "/tracking_url"),
        ({"tracking_url": "https://example.com/" + "x" * 3000}, "/tracking_url"),
    ],
)
async def test_shipment_that_breaks_a_rule_is_refused_and_changes_nothing(
    desk: OrderDesk, variant: str, changes: dict[str, Any], pointer: str
) -> None:
    order = await desk.paid((variant, 1))
    before = await desk.everything()

    with pytest.raises(Invalid) as caught:
        await desk.do(ShipOrder(**{"order_id": order.id, "carrier": "DHL"} | changes))

    assert [fault.pointer for fault in caught.value.errors] == [pointer]
    assert await desk.everything() == before


REFUSED: list[tuple[State, type[Command]]] = [
    ("placed", ShipOrder),
    ("paid", PayOrder),
    ("shipped", PayOrder),
    ("shipped", CancelOrder),
    ("cancelled", PayOrder),
    ("cancelled", CancelOrder),
    ("cancelled", ShipOrder),
]


async def in_state(desk: OrderDesk, variant: str, state: State) -> Order:
    order = await desk.place((variant, 1))
    if state in ("paid", "shipped"):
        order = await desk.do(pay(order))
    if state == "shipped":
        order = await desk.do(ShipOrder(order.id, "DHL"))
    if state == "cancelled":
        order = await desk.do(CancelOrder(order.id))
    return order


def command_of(kind: type[Command], order: Order) -> Command:
    return ShipOrder(order.id, "DHL") if kind is ShipOrder else kind(order.id)  # type: ignore[arg-type, call-arg]


@pytest.mark.parametrize(("state", "kind"), REFUSED)
async def test_what_a_state_does_not_allow_is_refused_and_changes_nothing(
    desk: OrderDesk, variant: str, state: State, kind: type[Command]
) -> None:
    order = await in_state(desk, variant, state)
    before = await desk.everything()

    with pytest.raises(InvalidOrderState, match=state) as caught:
        await desk.do(command_of(kind, order))

    assert caught.value.state == state == order.state
    assert await desk.everything() == before


async def test_every_other_pair_of_state_and_command_is_allowed(desk: OrderDesk, variant: str) -> None:
    allowed = [
        (state, kind) for state in STATES for kind in (PayOrder, CancelOrder, ShipOrder) if (state, kind) not in REFUSED
    ]

    changed = [await desk.do(command_of(kind, await in_state(desk, variant, state))) for state, kind in allowed]

    after = [(state, kind.__name__, order.state) for (state, kind), order in zip(allowed, changed, strict=True)]
    assert after == [
        ("placed", "PayOrder", "paid"),
        ("placed", "CancelOrder", "cancelled"),
        ("paid", "CancelOrder", "cancelled"),
        ("paid", "ShipOrder", "shipped"),
        ("shipped", "ShipOrder", "shipped"),
    ]


async def test_orders_number_on_in_the_order_of_their_placing(
    database: Database, desk: OrderDesk, variant: str
) -> None:
    orders = [await desk.place((variant, 1), by=by) for by in (SHOP_KEY, await a_person(database))]

    assert [order.number for order in orders] == [1001, 1002]
