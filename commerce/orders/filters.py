"""Which orders: those that a principal may see, and how a list of them is narrowed. One model for REST and GraphQL."""

from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, false, true

from commerce.accounts.principal import Principal
from commerce.catalog.text import is_storable
from commerce.orders.entities import State
from commerce.orders.models import OrderRow
from commerce.orders.rules import MAX_TEXT
from core.errors import Invalid

_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """All given conditions must hold. Placed at `placed_after` or later, and before `placed_before`."""

    state: State | None = None
    email: str | None = None
    placed_after: datetime | None = None
    placed_before: datetime | None = None


FILTERS = tuple(each.name for each in fields(OrderFilter))


def require_bounds(wanted: OrderFilter) -> None:
    """Raises Invalid."""
    if wanted.email is not None and len(wanted.email) > MAX_TEXT:
        raise Invalid(f"an address of {len(wanted.email)} characters; at most {MAX_TEXT} are taken")


def visible_to(principal: Principal) -> ColumnElement[bool]:
    """Customers see their own orders; staff, their keys and the shop's own keys see all."""
    if principal.sees_everybody:
        return true()
    return OrderRow.user_id == principal.user_id if principal.user_id is not None else false()


def narrow(statement: Select[*tuple[Any, ...]], wanted: OrderFilter) -> Select[*tuple[Any, ...]]:
    if wanted.state is not None:
        statement = statement.where(OrderRow.state == wanted.state)
    if wanted.email is not None:
        email = wanted.email.strip().lower()
        statement = statement.where(OrderRow.email == email if is_storable(email) else false())
    if wanted.placed_after is not None:
        statement = statement.where(OrderRow.placed_at >= _in_utc(wanted.placed_after))
    if wanted.placed_before is not None:
        statement = statement.where(OrderRow.placed_at < _in_utc(wanted.placed_before))
    return statement


def _in_utc(moment: datetime) -> datetime:
    """The moment, or the first or last that there is: in another zone, years 1 and 9999 reach beyond those of UTC."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return _FIRST if moment.year == 1 else _LAST
