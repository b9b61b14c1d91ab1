"""Each invariant holds of what the shop does, and finds what somebody planted."""

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import Select, delete, insert, select, update

from commerce.audit.models import AuditRow
from commerce.catalog.models import ProductRow, TagRow, VariantRow
from commerce.invariants.checks import INVARIANTS, check
from commerce.orders.commands import CancelOrder, PayOrder, ShipOrder
from commerce.orders.models import OrderLineRow, OrderRow, PaymentRow, ShipmentRow
from core.database import Database, WriteSession
from tests.factories.catalogue import Catalogue
from tests.factories.clocks import NOON, FakeClock
from tests.factories.orders import OrderDesk, only_variant
from tests.factories.products import a_product, a_variant


@pytest.fixture
async def shop(database: Database) -> Database:
    """One order in each state, one in part paid, and a variant that came back."""
    clock = FakeClock()
    catalogue, desk = Catalogue(database, clock), OrderDesk(database, clock)
    product = await catalogue.add(a_product(variants=(a_variant(price=1000, stock=10),)))
    variant = only_variant(product)
    await desk.place((variant, 1))
    await desk.paid((variant, 2))
    shipped = await desk.paid((variant, 1))
    await desk.do(ShipOrder(shipped.id, "DHL", None, None))
    cancelled = await desk.place((variant, 3))
    await desk.do(CancelOrder(cancelled.id))
    part = await desk.place((variant, 1))
    await desk.do(PayOrder(part.id, 400))
    return database


async def findings(database: Database) -> set[str]:
    async with database.read() as session:
        return {finding.name for invariant in INVARIANTS if (finding := await check(session, invariant)).violations}


async def test_what_the_shop_does_breaks_nothing(shop: Database) -> None:
    assert await findings(shop) == set()


async def overpay(session: WriteSession) -> None:
    await session.execute(update(PaymentRow).values(amount=PaymentRow.amount + 1))


async def lose_payments(session: WriteSession) -> None:
    await session.execute(delete(PaymentRow))


async def other_currency(session: WriteSession) -> None:
    await session.execute(update(PaymentRow).values(currency="EUR"))


async def lose_lines(session: WriteSession) -> None:
    await session.execute(delete(OrderLineRow).where(OrderLineRow.order_id.in_(_in_state("placed"))))


async def discount_below_nothing(session: WriteSession) -> None:
    await session.execute(update(OrderRow).where(OrderRow.state == "cancelled").values(discount=-1))


async def lose_shipments(session: WriteSession) -> None:
    await session.execute(delete(ShipmentRow))


async def cancel_by_hand(session: WriteSession) -> None:
    await session.execute(update(OrderRow).where(OrderRow.state == "placed").values(state="cancelled"))


async def cancel_twice(session: WriteSession) -> None:
    orders = (await session.scalars(_in_state("cancelled"))).all()
    entry = {"at": NOON, "actor": "x", "request_id": "", "action": "order.cancel", "before": None, "after": None}
    await session.execute(insert(AuditRow).values(subject=orders[0], **entry))


async def oversell(session: WriteSession) -> None:
    await session.execute(update(VariantRow).values(stock=-1))


async def lose_stock(session: WriteSession) -> None:
    await session.execute(update(VariantRow).values(stock=VariantRow.stock - 1))


async def price_by_hand(session: WriteSession) -> None:
    await session.execute(update(ProductRow).values(price_max=1))


async def spread_by_hand(session: WriteSession) -> None:
    await session.execute(update(ProductRow).values(price_spread=-1))


async def tag_by_hand(session: WriteSession) -> None:
    product = (await session.scalars(select(ProductRow).limit(1))).one()
    copied = {"created_at": product.created_at, "title_order": product.title_order, "price_min": -1}
    await session.execute(insert(TagRow).values(product_id=product.id, position=0, tag="new", **copied))


def _in_state(state: str) -> Select[str]:
    return select(OrderRow.id).where(OrderRow.state == state)


@pytest.mark.parametrize(
    ("plant", "found"),
    [
        (overpay, {"order_payments"}),
        (lose_payments, {"order_payments"}),
        (other_currency, {"payment_currencies"}),
        (lose_lines, {"order_amounts"}),
        (discount_below_nothing, {"order_amounts"}),
        (lose_shipments, {"shipments"}),
        (cancel_by_hand, {"cancelled_once"}),
        (cancel_twice, {"cancelled_once"}),
        (oversell, {"stock_floor", "stock_told"}),
        (lose_stock, {"stock_told"}),
        (price_by_hand, {"price_ranges"}),
        (spread_by_hand, {"price_ranges"}),
        (tag_by_hand, {"tag_orders"}),
    ],
)
async def test_what_is_planted_is_found(
    shop: Database, plant: Callable[[WriteSession], Awaitable[None]], found: set[str]
) -> None:
    async with shop.write() as session:
        await plant(session)

    assert await findings(shop) == found
