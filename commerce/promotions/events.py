"""What promotions tell the event log."""

from commerce.events.envelope import EventType
from commerce.promotions.entities import Promotion
from core.eventlog import NewEvent


def promotion_event(kind: EventType, promotion: Promotion) -> NewEvent:
    """One with a code is for those whom the shop tells the code."""
    data = {
        "id": promotion.id,
        "title": promotion.title,
        "code": promotion.code,
        "percent_off": promotion.percent_off,
        "amount_off": {"amount": promotion.amount_off, "currency": promotion.currency}
        if promotion.amount_off is not None
        else None,
        "starts_at": promotion.starts_at.isoformat(),
        "ends_at": promotion.ends_at.isoformat(),
    }
    return NewEvent(kind, promotion.id, data, "everybody" if promotion.code is None else "editors")
