"""Who may see an event, decided once, when it is written: the same rule as SQL for logs, and in Python for streams."""

from typing import Literal

from sqlalchemy import ColumnElement, and_, false, or_

from commerce.accounts.principal import Principal, Scope
from core.eventlog import Event, EventRow

# `everybody`: who may read events. `editors`: who may change products. `owner`: the person whose it is, and who sees
# everybody's orders. `staff`: who sees everybody.
Visibility = Literal["everybody", "editors", "owner", "staff"]
# What an owner's event tells of is read elsewhere with a scope; by the beginnings of types.
_TELLS: dict[str, Scope] = {"order.": "orders:read", "report.": "reports:read"}
# All the scopes that make a difference to what is seen.
SEEING: frozenset[Scope] = frozenset(("catalog:write", *_TELLS.values()))


def visible_to(principal: Principal) -> ColumnElement[bool]:
    """For principals that may read events at all."""
    own = EventRow.owner_id == principal.user_id if principal.user_id is not None else false()
    if sees_what_is_owned(principal):
        own = or_(own, EventRow.visibility == "owner")
    told = [EventRow.type.not_like(f"{hidden}%") for hidden in _hidden(principal)]
    return or_(EventRow.visibility.in_(_kinds(principal)), and_(EventRow.visibility == "owner", own, *told))


def is_visible(event: Event, principal: Principal) -> bool:
    if event.visibility != "owner":
        return event.visibility in _kinds(principal)
    own = principal.user_id is not None and event.owner_id == principal.user_id
    return (own or sees_what_is_owned(principal)) and not event.type.startswith(_hidden(principal))


def sees_what_is_owned(principal: Principal) -> bool:
    """By whomever: everybody's orders."""
    return principal.sees_everybody and principal.may("orders:read")


def _kinds(principal: Principal) -> list[Visibility]:
    kinds: list[Visibility] = ["everybody"]
    if principal.sees_unpublished:
        kinds.append("editors")
    if principal.sees_everybody:
        kinds.append("staff")
    return kinds


def _hidden(principal: Principal) -> tuple[str, ...]:
    return tuple(beginning for beginning, scope in _TELLS.items() if not principal.may(scope))
