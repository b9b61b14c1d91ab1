"""How exported orders are written. An order may come in several segments: its lines are never all in memory."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic_core import to_json
from sqlalchemy import Row

from core.money import format_decimal
from core.spreadsheet import csv_bytes, neutralised

COLUMNS = (
    *("number", "id", "state", "email", "placed_at", "currency"),
    *("sku", "variant_id", "title", "quantity", "unit_price", "line_total"),
    *("discount", "shipping", "subtotal", "total", "promotion_code"),
)
CSV_HEADER = csv_bytes([COLUMNS])


@dataclass(frozen=True, slots=True)
class OrderHead:
    """An order without its lines. Amounts are minor units of `currency`."""

    id: str
    number: int
    state: str
    email: str
    currency: str
    promotion_id: str | None
    promotion_code: str | None
    promotion_title: str | None
    discount: int
    shipping: int
    placed_at: datetime
    line_count: int
    subtotal: int
    payments: Sequence[Row[Any]]
    shipments: Sequence[Row[Any]]

    @property
    def total(self) -> int:
        return self.subtotal - self.discount + self.shipping


@dataclass(frozen=True, slots=True)
class Segment:
    """Some lines of an order: `starts` with its first, `ends` with its last."""

    order: OrderHead
    lines: Sequence[Row[Any]]
    starts: bool
    ends: bool


def csv_rows(segments: Iterable[Segment]) -> bytes:
    return csv_bytes(row for segment in segments for row in _rows(segment.order, segment.lines))


def _rows(order: OrderHead, lines: Iterable[Row[Any]]) -> Iterator[tuple[object, ...]]:
    currency = order.currency
    placed_at = order.placed_at.isoformat().replace("+00:00", "Z")
    before = (order.number, order.id, order.state, neutralised(order.email), placed_at, currency)
    amounts = (order.discount, order.shipping, order.subtotal, order.total)
    after = (*(format_decimal(amount, currency) for amount in amounts), neutralised(order.promotion_code or ""))
    for line in lines:
        yield (
            *before,
            neutralised(line.sku or ""),
            line.variant_id,
            neutralised(line.title),
            line.quantity,
            format_decimal(line.unit_price, currency),
            format_decimal(line.quantity * line.unit_price, currency),
            *after,
        )


def json_lines(segments: Iterable[Segment]) -> bytes:
    return b"".join(part for segment in segments for part in _json_parts(segment))


def _json_parts(segment: Segment) -> Iterator[bytes]:
    """Objects cut open, so that lines can go between: `{...` `,"lines":[` `...` `],` `...}`."""
    order = segment.order
    if segment.starts:
        head = {"id": order.id, "number": order.number, "state": order.state, "email": order.email}
        yield to_json(head)[:-1] + b',"lines":['
    elif segment.lines:
        yield b","
    yield to_json([_line(line, order.currency) for line in segment.lines])[1:-1]
    if segment.ends:
        yield b"]," + to_json(_rest(order))[1:] + b"\n"


def _line(line: Row[Any], currency: str) -> dict[str, Any]:
    return {
        "variant_id": line.variant_id,
        "sku": line.sku,
        "title": line.title,
        "quantity": line.quantity,
        "unit_price": _money(line.unit_price, currency),
        "total": _money(line.quantity * line.unit_price, currency),
    }


def _rest(order: OrderHead) -> dict[str, Any]:
    currency = order.currency
    promotion = {"id": order.promotion_id, "code": order.promotion_code, "title": order.promotion_title}
    return {
        "promotion": promotion if order.promotion_id is not None else None,
        "subtotal": _money(order.subtotal, currency),
        "discount": _money(order.discount, currency),
        "shipping": _money(order.shipping, currency),
        "total": _money(order.total, currency),
        "payments": [_payment(payment) for payment in order.payments],
        "shipments": [_shipment(shipment) for shipment in order.shipments],
        "placed_at": order.placed_at,
    }


def _payment(payment: Row[Any]) -> dict[str, Any]:
    return {
        "id": payment.id,
        "amount": _money(payment.amount, payment.currency),
        "reference": payment.reference,
        "created_at": payment.created_at,
    }


def _shipment(shipment: Row[Any]) -> dict[str, Any]:
    return {
        "id": shipment.id,
        "carrier": shipment.carrier,
        "tracking_number": shipment.tracking_number,
        "tracking_url": shipment.tracking_url,
        "created_at": shipment.created_at,
    }


def _money(amount: int, currency: str) -> dict[str, Any]:
    return {"amount": amount, "currency": currency}
