"""What can be done with orders. Callers own the transaction; nothing here commits."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert, update

from commerce.accounts.principal import Principal
from commerce.audit.log import AuditLog
from commerce.events.envelope import EventType
from commerce.orders import pricing
from commerce.orders.commands import CancelOrder, PayOrder, PlaceOrder, QuotedShipping, ShipOrder
from commerce.orders.entities import AppliedPromotion, Order, Payment, State
from commerce.orders.errors import OrderNotFound, OrderNotYours, Overpayment, PaymentReferenceUsed
from commerce.orders.events import order_event, stock_changed
from commerce.orders.jobs import tell_of_order
from commerce.orders.models import OrderRow, PaymentRow, ShipmentRow
from commerce.orders.placing import (
    Choice,
    choices,
    email_of,
    levels_of,
    lines_of,
    require_shipping_currency,
    require_stock,
)
from commerce.orders.repository import OrderRepository
from commerce.orders.rules import require_valid, web_address
from commerce.orders.states import next_state
from commerce.orders.stock import Level, Stock
from commerce.orders.storage import add_order
from commerce.promotions.entities import Promotion
from commerce.promotions.errors import PromotionNotApplicable
from commerce.promotions.repository import PromotionRepository
from commerce.shipping.quotes import Quotes
from core import eventlog
from core.clock import Clock
from core.database import WriteSession
from core.errors import FieldError, Invalid
from core.ids import new_id
from core.jobs.jobs import Jobs
from core.money import CurrencyMismatch, Money, total


class OrderService:
    """Per transaction, which a refusal leaves to be rolled back.

    `currency` is the shop's: orders are placed in no other. Who may see an order but not change it gets OrderNotYours.
    """

    def __init__(self, session: WriteSession, clock: Clock, *, principal: Principal, currency: str, jobs: Jobs) -> None:
        self._session = session
        self._jobs = jobs
        self._principal = principal
        self._currency = currency
        self._now = clock.now()
        self._orders = OrderRepository(session)
        self._stock = Stock(session, self._now)
        self._audit = AuditLog(session, clock, principal.name)

    async def place(self, command: PlaceOrder) -> Order:
        """Takes the stock and copies titles and prices. An order that costs nothing is paid at once.

        Raises Invalid, UnknownVariant, CurrencyMismatch, PromotionNotApplicable, OutOfStock, and what taking a shipping
        quote does.
        """
        require_valid(command)
        email, order_id = email_of(command, self._principal), new_id("ord")
        merged = choices(command, await self._stock.offers(command.lines), self._currency)
        shipping = await self._shipping(command.shipping, merged, order_id)
        subtotal = total((choice.offer.price * choice.quantity for choice in merged), self._currency)
        promotion = await self._promotion(command.promotion_code, subtotal)
        discount = pricing.discount(promotion, subtotal)
        state: State = "paid" if pricing.total(subtotal, discount, shipping).amount == 0 else "placed"
        left = await self._stock.take({choice.offer.variant_id: choice.quantity for choice in merged})
        require_stock(merged, left)
        levels = levels_of(merged, left)
        await self._stock.changed(levels)
        order = await add_order(
            self._session,
            Order(
                id=order_id,
                number=0,  # the database's to give
                user_id=self._principal.user_id,
                email=email,
                state=state,
                currency=self._currency,
                lines=lines_of(merged, left),
                promotion=AppliedPromotion(promotion.id, promotion.code, promotion.title) if promotion else None,
                discount=discount,
                shipping=shipping,
                payments=(),
                shipments=(),
                version=1,
                placed_at=self._now,
                updated_at=self._now,
            ),
        )
        await tell_of_order(self._session, self._jobs, order)
        kinds: list[EventType] = ["order.placed", "order.paid"] if state == "paid" else ["order.placed"]
        await self._finish("order.place", None, order, kinds, levels)
        return order

    async def pay(self, command: PayOrder) -> Order:
        """Records a payment; the order is paid once nothing is due. The same reference and amount again change nothing.

        Raises Invalid, OrderNotFound, OrderNotYours, InvalidOrderState, PaymentReferenceUsed, CurrencyMismatch,
        Overpayment.
        """
        require_valid(command)
        before = await self._locked(command.order_id)
        _require_currency(command, before.currency)
        known = next((payment for payment in before.payments if payment.reference == command.reference), None)
        if known is not None:
            _require_same(command, known)
            return before
        paid = next_state(before.state, "pay")
        amount = Money(before.due.amount if command.amount is None else command.amount, before.currency)
        _require_due(amount, before)
        payment_id = new_id("pay")
        await self._session.execute(
            insert(PaymentRow).values(
                id=payment_id,
                order_id=before.id,
                amount=amount.amount,
                currency=amount.currency,
                reference=command.reference or payment_id,
                created_at=self._now,
            )
        )
        settled = amount == before.due
        after = await self._changed(before, paid if settled else before.state)
        await self._finish("order.pay", before, after, ["order.paid"] if settled else [])
        return after

    async def cancel(self, command: CancelOrder) -> Order:
        """Gives the stock back, once, to variants that are still there and tracked. Payments stay recorded.

        Raises OrderNotFound, OrderNotYours, InvalidOrderState.
        """
        before = await self._locked(command.order_id)
        state = next_state(before.state, "cancel")
        taken = {line.variant_id: line.quantity for line in before.lines if line.stock_taken}
        levels: list[Level] = []
        if taken:
            products = [line.product_id for line in before.lines if line.stock_taken]
            levels = await self._stock.give_back(taken, products)
            await self._stock.changed(levels)
        after = await self._changed(before, state)
        await self._finish("order.cancel", before, after, ["order.cancelled"], levels)
        return after

    async def ship(self, command: ShipOrder) -> Order:
        """Records a parcel, the first or a further one; each is told to the event log.

        Raises Invalid, OrderNotFound, OrderNotYours, InvalidOrderState.
        """
        require_valid(command)
        before = await self._locked(command.order_id)
        state = next_state(before.state, "ship")
        await self._session.execute(
            insert(ShipmentRow).values(
                id=new_id("shp"),
                order_id=before.id,
                carrier=command.carrier,
                tracking_number=command.tracking_number,
                tracking_url=web_address(command.tracking_url) if command.tracking_url is not None else None,
                created_at=self._now,
            )
        )
        after = await self._changed(before, state)
        await self._finish("order.ship", before, after, ["order.shipped"])
        return after

    async def _shipping(self, asked: Money | QuotedShipping | None, merged: Sequence[Choice], order_id: str) -> Money:
        """Raises CurrencyMismatch, and what `Quotes.take` raises."""
        if isinstance(asked, QuotedShipping):
            lines = {choice.offer.variant_id: choice.quantity for choice in merged}
            quotes = Quotes(self._session, self._now, self._principal)
            return await quotes.take(asked.quote_id, lines, self._currency, order_id)
        shipping = asked or Money(0, self._currency)
        require_shipping_currency(shipping, self._currency)
        return shipping

    async def _promotion(self, code: str | None, subtotal: Money) -> Promotion | None:
        """At most one: the one that is named, else the one without a code that takes most off."""
        promotions = PromotionRepository(self._session)
        promotion = await promotions.best_for(code, subtotal, self._currency, self._now)
        if promotion is None and code is not None:
            fault = FieldError("/promotion_code", PromotionNotApplicable.code, "names no promotion that applies now")
            raise PromotionNotApplicable(f"no promotion {code[:100]!r} applies now", errors=(fault,))
        return promotion

    async def _locked(self, order_id: str) -> Order:
        """The order, held first of all that is locked here. Raises OrderNotFound, OrderNotYours."""
        order = await self._orders.lock(order_id, self._principal)
        if order is None:
            raise OrderNotFound(f"no order {order_id[:100]!r}")
        own = order.user_id is not None and order.user_id == self._principal.user_id
        if not own and not self._principal.acts_for_shop:
            raise OrderNotYours
        return order

    async def _changed(self, order: Order, state: State) -> Order:
        values = {"state": state, "version": order.version + 1, "updated_at": self._now}
        await self._session.execute(update(OrderRow).where(OrderRow.id == order.id).values(values))
        return await self._read(order.id)

    async def _read(self, order_id: str) -> Order:
        order = await self._orders.get(order_id, self._principal)
        assert order is not None  # noqa: S101  written by this transaction
        return order

    async def _finish(
        self, action: str, before: Order | None, after: Order, kinds: list[EventType], levels: list[Level] | None = None
    ) -> None:
        await self._audit.record(action, after.id, _audited(before) if before else None, _audited(after))
        events = [order_event(kind, after) for kind in kinds] + [stock_changed(level) for level in levels or ()]
        await eventlog.append(self._session, events, self._now)


def _audited(order: Order) -> dict[str, Any]:
    """Without what says whose it is: the audit log is never changed, and people may be forgotten."""
    return {
        "number": order.number,
        "state": order.state,
        "version": order.version,
        "currency": order.currency,
        "total": order.total.amount,
        "paid": order.paid.amount,
        "shipments": [shipment.id for shipment in order.shipments],
    }


def _require_currency(command: PayOrder, currency: str) -> None:
    if command.currency not in (None, currency):
        fault = FieldError("/amount/currency", CurrencyMismatch.code, f"the order is in {currency}")
        raise CurrencyMismatch(fault.message, errors=(fault,))


def _require_same(command: PayOrder, known: Payment) -> None:
    if command.amount not in (None, known.amount.amount):
        raise PaymentReferenceUsed(f"a payment of {known.amount.amount} has the reference {known.reference!r}")


def _require_due(amount: Money, order: Order) -> None:
    due = order.due.amount
    if amount.amount < 1:
        fault = FieldError("/amount/amount", "out_of_range", "is at least 1")
        raise Invalid("a payment is more than nothing", errors=(fault,))
    if amount.amount > due:
        fault = FieldError("/amount/amount", Overpayment.code, f"is more than the {due} that are due")
        raise Overpayment(f"{due} are due, not {amount.amount}", errors=(fault,))
