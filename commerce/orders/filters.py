"""Which orders: those that a principal may see, and how a list of them is narrowed. One model for REST and GraphQL."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, String, false, true
from sqlalchemy.orm import InstrumentedAttribute

from commerce.accounts.principal import Principal
from commerce.catalog.text import is_storable
from commerce.orders.entities import State
from commerce.orders.models import OrderRow
from commerce.orders.rules import MAX_TEXT
from core.direct import Bind, filled
from core.errors import Invalid
from core.pagination import Keyset

_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)
NEWEST = Keyset("placed_at", OrderRow.placed_at, OrderRow.id, descending=True)  # type: ignore[arg-type]


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


Sight = Literal["all", "own", "none"]


def sight_of(principal: Principal) -> Sight:
    """Customers see their own orders; staff, their keys and the shop's own keys see all."""
    if principal.sees_everybody:
        return "all"
    return "own" if principal.user_id is not None else "none"


def visible(sight: Sight, bind: Bind) -> ColumnElement[bool]:
    """To somebody of this sight, whose id is the value `user_id`."""
    if sight == "own":
        return OrderRow.user_id == bind("user_id", String())
    return true() if sight == "all" else false()


def visible_to(principal: Principal) -> ColumnElement[bool]:
    return visible(sight_of(principal), filled({"user_id": principal.user_id}))


@dataclass(frozen=True, slots=True)
class FilterForm:
    """What of a filter decides how a statement is written: which values are compared with, and not the values."""

    given: frozenset[str]
    is_empty: bool  # it asks for what no database could hold, and so for nothing


def form_of(wanted: OrderFilter) -> FilterForm:
    given = frozenset(name for name in FILTERS if getattr(wanted, name) is not None)
    return FilterForm(given, is_empty=not is_storable(wanted.email or ""))


def values_of(wanted: OrderFilter) -> dict[str, Any]:
    """What `conditions` compares with, by name."""
    return {
        "state": wanted.state,
        "email": wanted.email.strip().lower() if wanted.email is not None else None,
        "placed_after": _in_utc(wanted.placed_after),
        "placed_before": _in_utc(wanted.placed_before),
    }


def conditions(form: FilterForm, sight: Sight, bind: Bind) -> list[ColumnElement[bool]]:
    """Of those that somebody of this sight sees. One column is looked up, the one of which fewest orders are: the rest
    is compared as an expression. SQLite knows no better than to take the index of any of them.
    """
    if form.is_empty:
        return [false()]
    sought = "user_id" if sight == "own" else "email" if "email" in form.given else "state"
    moment = OrderRow.placed_at.type

    def of(column: InstrumentedAttribute[str]) -> ColumnElement[str]:
        return column.expression if column.key == sought else column.concat("")

    written: dict[str, Callable[[], ColumnElement[bool]]] = {
        "state": lambda: of(OrderRow.state) == bind("state", String()),
        "email": lambda: of(OrderRow.email) == bind("email", String()),
        "placed_after": lambda: OrderRow.placed_at >= bind("placed_after", moment),
        "placed_before": lambda: OrderRow.placed_at < bind("placed_before", moment),
    }
    return [visible(sight, bind), *(write() for name, write in written.items() if name in form.given)]


def narrow(statement: Select[*tuple[Any, ...]], wanted: OrderFilter, principal: Principal) -> Select[*tuple[Any, ...]]:
    """To what the principal may see."""
    values = filled(values_of(wanted) | {"user_id": principal.user_id})
    return statement.where(*conditions(form_of(wanted), sight_of(principal), values))


def _in_utc(moment: datetime | None) -> datetime | None:
    """The moment, or the first or last that there is: in another zone, years 1 and 9999 reach beyond those of UTC."""
    if moment is None:
        return None
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return _FIRST if moment.year == 1 else _LAST
