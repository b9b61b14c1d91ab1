"""The invariants, each as a statement that finds what breaks it. Nothing is put right here."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, case, func, or_, select
from sqlalchemy.orm import aliased

from commerce.audit.models import AuditRow
from commerce.catalog.models import ProductRow, TagRow, VariantRow
from commerce.orders.models import OrderLineRow, OrderRow, PaymentRow, ShipmentRow
from core.database import ReadSession
from core.eventlog import EventRow

EXAMPLES = 20


@dataclass(frozen=True, slots=True)
class Invariant:
    """`broken` selects the ids of what does not fit."""

    name: str
    meaning: str
    broken: Callable[[], Select[str]]


@dataclass(frozen=True, slots=True)
class Finding:
    name: str
    meaning: str
    violations: int
    examples: tuple[str, ...]


async def check(session: ReadSession, invariant: Invariant) -> Finding:
    broken = invariant.broken()
    count = await session.scalar(select(func.count()).select_from(broken.subquery()))
    examples = tuple(await session.scalars(broken.limit(EXAMPLES))) if count else ()
    return Finding(invariant.name, invariant.meaning, int(count), examples)


def _order_totals() -> Any:
    """Each order with the sum of its lines, None where it has none."""
    gross = func.sum(OrderLineRow.quantity * OrderLineRow.unit_price).label("gross")
    return select(OrderLineRow.order_id, gross).group_by(OrderLineRow.order_id).subquery()


def _order_amounts() -> Select[str]:
    lines = _order_totals()
    wrong = or_(
        lines.c.gross.is_(None), OrderRow.discount < 0, OrderRow.shipping < 0, OrderRow.discount > lines.c.gross
    )
    return select(OrderRow.id).outerjoin(lines, lines.c.order_id == OrderRow.id).where(wrong).order_by(OrderRow.id)


def _order_payments() -> Select[str]:
    lines = _order_totals()
    paid = func.sum(PaymentRow.amount).label("paid")
    payments = select(PaymentRow.order_id, paid).group_by(PaymentRow.order_id).subquery()
    total = lines.c.gross - OrderRow.discount + OrderRow.shipping
    received = func.coalesce(payments.c.paid, 0)
    wrong = or_(
        and_(OrderRow.state.in_(("paid", "shipped")), received != total),
        and_(OrderRow.state == "placed", received >= total),
        received > total,
    )
    joined = select(OrderRow.id).join(lines, lines.c.order_id == OrderRow.id)
    return joined.outerjoin(payments, payments.c.order_id == OrderRow.id).where(wrong).order_by(OrderRow.id)


def _payment_currencies() -> Select[str]:
    joined = select(PaymentRow.id).join(OrderRow, OrderRow.id == PaymentRow.order_id)
    return joined.where(PaymentRow.currency != OrderRow.currency).order_by(PaymentRow.id)


def _shipments() -> Select[str]:
    shipped = select(ShipmentRow.id).where(ShipmentRow.order_id == OrderRow.id).exists()
    return select(OrderRow.id).where((OrderRow.state == "shipped") != shipped).order_by(OrderRow.id)


def _cancelled_once() -> Select[str]:
    """Stock returns in the transaction that writes the audit entry."""
    cancelled = (
        select(func.count()).where(AuditRow.subject == OrderRow.id, AuditRow.action == "order.cancel").scalar_subquery()
    )
    wanted = case((OrderRow.state == "cancelled", 1), else_=0)
    return select(OrderRow.id).where(cancelled != wanted).order_by(OrderRow.id)


def _stock_floor() -> Select[str]:
    wrong = and_(VariantRow.stock < 0, VariantRow.inventory_policy == "deny")
    return select(VariantRow.id).where(wrong).order_by(VariantRow.id)


def _stock_told() -> Select[str]:
    """Of the variants whose stock changed in the time that the event log remembers."""
    variant = EventRow.data["variant_id"].as_string()
    newest = (
        select(func.max(EventRow.position).label("position"), variant.label("variant_id"))
        .where(EventRow.type == "stock.changed")
        .group_by(variant)
        .subquery()
    )
    last = aliased(EventRow)
    return (
        select(VariantRow.id)
        .join(newest, newest.c.variant_id == VariantRow.id)
        .join(last, last.position == newest.c.position)
        .where(VariantRow.stock.is_distinct_from(last.data["stock"].as_integer()))
        .order_by(VariantRow.id)
    )


def _price_ranges() -> Select[str]:
    lowest, highest = func.min(VariantRow.price), func.max(VariantRow.price)
    joined = select(ProductRow.id).outerjoin(VariantRow, VariantRow.product_id == ProductRow.id)
    kept = (ProductRow.price_min, ProductRow.price_max, ProductRow.price_spread)
    wrong = or_(
        lowest.is_(None),
        *(it != is_kept for it, is_kept in zip((lowest, highest, highest - lowest), kept, strict=True)),
    )
    grouped = joined.group_by(ProductRow.id, *kept)
    return grouped.having(wrong).order_by(ProductRow.id)


def _tag_orders() -> Select[str]:
    copied = ("created_at", "title_order", "price_min")
    wrong = or_(*(getattr(TagRow, name) != getattr(ProductRow, name) for name in copied))
    return select(ProductRow.id).join(TagRow).where(wrong).distinct().order_by(ProductRow.id)


INVARIANTS = (
    Invariant("order_amounts", "An order has lines, and a discount from nothing up to their sum.", _order_amounts),
    Invariant(
        "order_payments",
        "Paid and shipped orders are paid exactly; placed ones are not paid yet; nobody paid too much.",
        _order_payments,
    ),
    Invariant("payment_currencies", "A payment is in its order's currency.", _payment_currencies),
    Invariant("shipments", "Orders that are shipped have a shipment, and others have none.", _shipments),
    Invariant("cancelled_once", "Each cancelled order gave its stock back, once, and no other did.", _cancelled_once),
    Invariant("stock_floor", "No stock is below nothing where overselling is denied.", _stock_floor),
    Invariant("stock_told", "A variant's stock is what the event log told last.", _stock_told),
    Invariant("price_ranges", "A product's price range is that of its variants.", _price_ranges),
    Invariant("tag_orders", "The products of a tag are ordered there by what they say themselves.", _tag_orders),
)
