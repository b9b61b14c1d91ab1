"""Placing orders: what is copied, what is taken, and refusals that change nothing."""

from datetime import timedelta
from typing import Any

import pytest

from commerce.accounts.principal import Principal
from commerce.orders.commands import CancelOrder, OrderLine, PlaceOrder
from commerce.orders.entities import ORDER, AppliedPromotion
from commerce.orders.errors import OutOfStock, UnknownVariant
from commerce.promotions.commands import promotion_data
from commerce.promotions.entities import Promotion
from commerce.promotions.errors import PromotionNotApplicable
from commerce.promotions.service import PromotionService
from core.database import Database
from core.errors import AppError, Invalid
from core.money import CurrencyMismatch, Money
from tests.factories.catalogue import Catalogue
from tests.factories.clocks import NOON, FakeClock
from tests.factories.orders import EMAIL, SHOP_KEY, OrderDesk, a_person, an_order, only_variant
from tests.factories.products import a_product, a_variant, sized
from tests.factories.statements import recorded


def usd(amount: int) -> Money:
    return Money(amount, "USD")


async def promote(desk: OrderDesk, **changes: Any) -> Promotion:
    values: dict[str, Any] = {
        "title": "Sale",
        "percent_off": 10,
        "starts_at": NOON,
        "ends_at": NOON + timedelta(days=7),
    }
    values |= changes
    if values.get("amount_off"):
        values.pop("percent_off")
    async with desk.database.write() as session:
        return await PromotionService(session, desk.clock, desk.jobs, actor="test").create(promotion_data(values))


async def test_order_copies_titles_and_prices_and_takes_the_stock(desk: OrderDesk, catalogue: Catalogue) -> None:
    jacket = await catalogue.create(
        **sized("S", "M", price=4999, stock=5) | {"handle": "jacket", "title": "Ridge Jacket"}
    )
    cap = await catalogue.create(handle="cap", title="Cap", variants=(a_variant(price=1000, sku="CAP-1"),))
    small = jacket.variants[0]

    order = await desk.place((small.id, 2), OrderLine(3, sku="CAP-1"), shipping=usd(500))

    assert (order.number, order.state, order.email, order.version) == (1001, "placed", EMAIL, 1)
    assert [(line.title, line.sku, line.quantity, line.unit_price, line.stock_taken) for line in order.lines] == [
        ("Ridge Jacket - S", None, 2, usd(4999), True),
        ("Cap", "CAP-1", 3, usd(1000), False),
    ]
    assert [line.total for line in order.lines] == [usd(9998), usd(3000)]
    assert (order.subtotal, order.discount, order.shipping, order.total) == (usd(12998), usd(0), usd(500), usd(13498))
    assert (order.promotion, order.payments, order.shipments) == (None, (), ())
    assert await desk.stock(small.id) == 3
    assert await desk.stock(only_variant(cap)) is None
    assert await desk.read(order.id) == order


async def test_order_is_the_same_after_it_was_kept_as_json(desk: OrderDesk, catalogue: Catalogue) -> None:
    order = await desk.paid((only_variant(await catalogue.create()), 2))

    assert ORDER.validate_json(ORDER.dump_json(order)) == order


async def test_lines_of_one_variant_become_one_in_the_place_of_the_first(desk: OrderDesk, catalogue: Catalogue) -> None:
    cap = await catalogue.create(handle="cap", variants=(a_variant(sku="CAP-1", stock=10),))
    tent = only_variant(await catalogue.create(handle="tent"))

    order = await desk.place((only_variant(cap), 2), (tent, 1), OrderLine(4, sku="CAP-1"))

    assert [(line.variant_id, line.quantity) for line in order.lines] == [(only_variant(cap), 6), (tent, 1)]
    assert await desk.stock(only_variant(cap)) == 4


async def test_policy_continue_sells_below_nothing(desk: OrderDesk, catalogue: Catalogue) -> None:
    tent = only_variant(await catalogue.create(variants=(a_variant(stock=1, inventory_policy="continue"),)))

    order = await desk.place((tent, 5))

    assert await desk.stock(tent) == -4
    assert order.lines[0].stock_taken


async def test_order_keeps_titles_and_prices_whatever_becomes_of_the_product(
    desk: OrderDesk, catalogue: Catalogue
) -> None:
    product = await catalogue.create(title="Rain Jacket", variants=(a_variant(price=1999, sku="A"),))
    order = await desk.place((only_variant(product), 1))

    await catalogue.update(product, title="Sun Hat", variants=(a_variant(price=1, sku="B"),))
    changed = await desk.read(order.id)
    await catalogue.delete(product.head.id)
    orphaned = await desk.read(order.id)

    assert changed == orphaned == order
    assert [(line.title, line.sku, line.unit_price) for line in order.lines] == [("Rain Jacket", "A", usd(1999))]


async def test_sale_raises_the_version_of_products_whose_stock_is_tracked(
    desk: OrderDesk, catalogue: Catalogue, clock: FakeClock
) -> None:
    tracked = await catalogue.create(handle="a", **sized("S", "M", stock=5))
    untracked = await catalogue.create(handle="b")
    clock.advance(hours=1)

    await desk.place(*((variant.id, 1) for variant in tracked.variants), (only_variant(untracked), 1))

    assert (await desk.version(tracked), await desk.version(untracked)) == (2, 1)
    assert (await catalogue.everything())["a"].head.updated_at == clock.now()


async def test_placing_is_audited_and_told_to_the_event_log(desk: OrderDesk, catalogue: Catalogue) -> None:
    customer = await a_person(desk.database)
    product = await catalogue.create(variants=(a_variant(price=1000, stock=5, sku="A"),))

    order = await desk.place((only_variant(product), 2), by=customer)

    placed = {"id": order.id, "number": 1001, "state": "placed", "total": {"amount": 2000, "currency": "USD"}}
    stock = {"product_id": product.head.id, "variant_id": only_variant(product), "sku": "A", "stock": 3}
    assert await desk.events() == [("order.placed", "owner", placed), ("stock.changed", "everybody", stock)]
    ((actor, action, before, after),) = await desk.audited(order.id)
    assert (actor, action, before) == (f"user:{customer.id}", "order.place", None)
    assert (after["number"], after["state"], after["total"]) == (1001, "placed", 2000)
    assert EMAIL not in str(after)


async def test_order_that_costs_nothing_is_paid_at_once(desk: OrderDesk, catalogue: Catalogue) -> None:
    product = await catalogue.create(variants=(a_variant(price=0),))

    order = await desk.place((only_variant(product), 1))

    assert (order.state, order.total, order.payments) == ("paid", usd(0), ())
    assert [kind for kind, *_ in await desk.events()] == ["order.placed", "order.paid"]


async def test_email_is_the_callers_where_none_is_given(desk: OrderDesk, catalogue: Catalogue) -> None:
    customer = await a_person(desk.database)
    variant = only_variant(await catalogue.create())

    own = await desk.place((variant, 1), by=customer, email=None)
    given = await desk.place((variant, 1), by=customer, email="Bob@Example.com")

    assert (own.email, own.user_id) == (customer.email, customer.user_id)
    assert given.email == "bob@example.com"


async def test_too_little_stock_is_told_line_by_line_and_changes_nothing(desk: OrderDesk, catalogue: Catalogue) -> None:
    plenty = only_variant(await catalogue.create(handle="a", variants=(a_variant(stock=9),)))
    scarce = only_variant(await catalogue.create(handle="b", variants=(a_variant(stock=2, sku="B-1"),)))
    gone = only_variant(await catalogue.create(handle="c", variants=(a_variant(stock=0),)))
    before = await desk.everything()

    with pytest.raises(OutOfStock, match="2 of B-1 in stock, 3 ordered") as caught:
        await desk.place((plenty, 1), (scarce, 1), (gone, 1), OrderLine(2, sku="B-1"))

    error = caught.value
    assert (error.variant_id, error.sku, error.requested, error.available) == (scarce, "B-1", 3, 2)
    assert [(fault.pointer, fault.code, fault.message) for fault in error.errors] == [
        ("/lines/1/quantity", "out_of_stock", "2 in stock, 3 ordered"),
        ("/lines/3/quantity", "out_of_stock", "2 in stock, 3 ordered"),
        ("/lines/2/quantity", "out_of_stock", "0 in stock, 1 ordered"),
    ]
    assert await desk.everything() == before


@pytest.mark.parametrize(
    ("changes", "error", "pointers"),
    [
        ({"lines": ()}, Invalid, ["/lines"]),
        ({"lines": (OrderLine(1, "{tent}"),) * 101}, Invalid, ["/lines"]),
        ({"lines": (OrderLine(0, "{tent}"),)}, Invalid, ["/lines/0/quantity"]),
        ({"lines": (OrderLine(10_001, "{tent}"),)}, Invalid, ["/lines/0/quantity"]),
        ({"lines": (OrderLine(9_000, "{tent}"), OrderLine(1_001, sku="TENT"))}, Invalid, ["/lines/1/quantity"]),
        ({"lines": (OrderLine(1), OrderLine(1, "{tent}", "TENT"))}, Invalid, ["/lines/0", "/lines/1"]),
        ({"email": None}, Invalid, ["/email"]),
        ({"email": "nobody"}, Invalid, ["/email"]),
        ({"shipping": Money(-1, "USD")}, Invalid, ["/shipping/amount"]),
        ({"shipping": Money(10**12 + 1, "USD")}, Invalid, ["/shipping/amount"]),
        ({"shipping": Money(1, "EUR")}, CurrencyMismatch, ["/shipping/currency"]),
        ({"lines": (OrderLine(1, "{tent}"), OrderLine(1, "{euro}"))}, CurrencyMismatch, ["/lines/1"]),
        ({"lines": (OrderLine(1, "var_none"), OrderLine(1, sku="NONE"))}, UnknownVariant,
         ["/lines/0/variant_id", "/lines/1/sku"]),
        ({"lines": (OrderLine(1, "{tent}"), OrderLine(1, "{draft}"))}, UnknownVariant, ["/lines/1/variant_id"]),
        ({"lines": (OrderLine(1, "var\0"), OrderLine(1, sku="\ud800"))}, UnknownVariant,
         ["/lines/0/variant_id", "/lines/1/sku"]),
        ({"promotion_code": "NONE"}, PromotionNotApplicable, ["/promotion_code"]),
        ({"promotion_code": "\0"}, PromotionNotApplicable, ["/promotion_code"]),
    ],
)  # fmt: skip
async def test_order_that_breaks_a_rule_is_refused_and_changes_nothing(
    desk: OrderDesk, catalogue: Catalogue, changes: dict[str, Any], error: type[AppError], pointers: list[str]
) -> None:
    named = {
        "{tent}": await catalogue.create(handle="tent", variants=(a_variant(stock=50_000, sku="TENT"),)),
        "{draft}": await catalogue.create(handle="draft", status="draft"),
        "{euro}": await catalogue.add(a_product(handle="euro", currency="EUR")),
    }
    ids = {name: only_variant(product) for name, product in named.items()}
    values: dict[str, Any] = {"lines": (OrderLine(1, "{tent}"),), "email": EMAIL} | changes
    lines = tuple(
        OrderLine(line.quantity, ids.get(line.variant_id or "", line.variant_id), line.sku) for line in values["lines"]
    )
    before = await desk.everything()

    with pytest.raises(error) as caught:
        await desk.do(PlaceOrder(**values | {"lines": lines}))

    assert type(caught.value) is error
    assert [fault.pointer for fault in caught.value.errors] == pointers
    assert await desk.everything() == before


async def test_named_promotion_is_taken_off_and_noted(desk: OrderDesk, catalogue: Catalogue) -> None:
    product = only_variant(await catalogue.create(variants=(a_variant(price=1005),)))
    spring = await promote(desk, code="spring", percent_off=10, title="Spring")
    await promote(desk, percent_off=90)

    order = await desk.place((product, 1), promotion_code=" Spring ", shipping=usd(100))

    assert order.promotion == AppliedPromotion(spring.id, "SPRING", "Spring")
    assert (order.discount, order.total) == (usd(100), usd(1005 - 100 + 100))


async def test_best_promotion_without_a_code_applies_by_itself(desk: OrderDesk, catalogue: Catalogue) -> None:
    product = only_variant(await catalogue.create(variants=(a_variant(price=1000),)))
    await promote(desk, percent_off=20)
    best = await promote(desk, amount_off=300, currency="USD")
    await promote(desk, percent_off=100, code="ALL")
    await promote(desk, amount_off=900, currency="EUR")
    await promote(desk, percent_off=100, starts_at=NOON + timedelta(seconds=1))
    await promote(desk, percent_off=100, starts_at=NOON - timedelta(days=1), ends_at=NOON)

    order = await desk.place((product, 1))

    assert order.promotion == AppliedPromotion(best.id, None, "Sale")
    assert order.discount == usd(300)


async def test_promotion_applies_from_its_start_until_just_before_its_end(
    desk: OrderDesk, catalogue: Catalogue, clock: FakeClock
) -> None:
    order = an_order((only_variant(await catalogue.create()), 1), promotion_code="HOUR")
    await promote(desk, code="HOUR", starts_at=NOON + timedelta(hours=1), ends_at=NOON + timedelta(hours=2))

    clock.advance(hours=1, microseconds=-1)
    with pytest.raises(PromotionNotApplicable):
        await desk.do(order)
    clock.advance(microseconds=1)
    first = await desk.do(order)
    clock.advance(hours=1, microseconds=-1)
    last = await desk.do(order)
    clock.advance(microseconds=1)
    with pytest.raises(PromotionNotApplicable):
        await desk.do(order)

    assert [each.promotion is not None for each in (first, last)] == [True, True]


async def test_promotion_of_another_currency_does_not_apply(desk: OrderDesk, catalogue: Catalogue) -> None:
    await promote(desk, code="EURO", amount_off=100, currency="EUR")

    with pytest.raises(PromotionNotApplicable):
        await desk.place((only_variant(await catalogue.create()), 1), promotion_code="EURO")


@pytest.mark.parametrize("by", [SHOP_KEY, None])
async def test_number_of_statements_does_not_depend_on_the_number_of_lines(
    desk: OrderDesk, catalogue: Catalogue, by: Principal | None
) -> None:
    who = by or await a_person(desk.database)
    variants = [
        variant.id
        for number in range(5)
        for variant in (await catalogue.create(handle=f"p-{number}", **sized(*"SMLXY", stock=9))).variants
    ]

    with recorded(desk.database.writer) as one:
        first = await desk.place((variants[0], 1), by=who)
    with recorded(desk.database.writer) as many:
        second = await desk.place(*((variant, 1) for variant in variants), by=who)
    with recorded(desk.database.writer) as cancel_one:
        await desk.do(CancelOrder(first.id), who)
    with recorded(desk.database.writer) as cancel_many:
        await desk.do(CancelOrder(second.id), who)

    assert len(one) == len(many)
    assert len(cancel_one) == len(cancel_many)


async def test_what_placing_answers_is_what_is_read_from_then_on(desk: OrderDesk, catalogue: Catalogue) -> None:
    who = await a_person(desk.database)
    await promote(desk, code="SAVE", percent_off=15)
    sizes = (await catalogue.create(**sized(*"SML", stock=9))).variants
    untracked = only_variant(await catalogue.create(handle="gift", variants=(a_variant(sku="GIFT", stock=None),)))
    desk.clock.advance(microseconds=123_456)

    placed = await desk.place(
        (sizes[1].id, 2), (untracked, 1), (sizes[0].id, 1), by=who, promotion_code="save", shipping=Money(1234, "USD")
    )

    assert placed.promotion is not None
    assert [line.stock_taken for line in placed.lines] == [True, False, True]
    assert await desk.read(placed.id) == placed


async def test_placing_reads_nothing_back(sqlite_database: Database, clock: FakeClock) -> None:
    """Offers, promotions, stock, products, the order, its lines, three for each of two jobs, audit and events."""
    desk, catalogue = OrderDesk(sqlite_database, clock), Catalogue(sqlite_database, clock)
    variant = only_variant(await catalogue.create())

    with recorded(sqlite_database.writer) as sent:
        await desk.place((variant, 1))

    assert [statement.split()[0] for statement in sent] == [
        *("SELECT", "SELECT", "UPDATE", "UPDATE"),
        *["INSERT"] * 10,
    ]
