"""Who may see an event, decided once, when it is written: the same rule as SQL for logs, and in Python for streams."""

from typing import Literal

from sqlalchemy import ColumnElement, and_, false, or_, true

from commerce.accounts.principal import Principal, Scope
from core.eventlog import Event, EventRow

# `everybody`: who may read events. `editors`: who may change products. `owner`: the person whose it is, and who sees
# everybody's orders. `staff`: who sees everybody. `support`: the person whose room it is, and who answers customers.
# `direct`: the person whom it is for, and the author that its data names.
Visibility = Literal["everybody", "editors", "owner", "staff", "support", "direct"]
OWNED: tuple[Visibility, ...] = ("owner", "support", "direct")
# What an owner's event tells of is read elsewhere with a scope; by the beginnings of types.
_TELLS: dict[str, Scope] = {"order.": "orders:read", "report.": "reports:read"}
# All the scopes that make a difference to what is seen.
SEEING: frozenset[Scope] = frozenset(("catalog:write", "support:write", *_TELLS.values()))


def visible_to(principal: Principal) -> ColumnElement[bool]:
    """For principals that may read events at all."""
    own = EventRow.owner_id == principal.user_id if principal.user_id is not None else false()
    mine = {kind: true() if kind in sees_what_is_owned(principal) else own for kind in OWNED}
    told = [EventRow.type.not_like(f"{hidden}%") for hidden in _hidden(principal)]
    ways = [EventRow.visibility.in_(_kinds(principal)), and_(EventRow.visibility == "owner", mine["owner"], *told)]
    if principal.chats:
        sent = EventRow.data[("author", "id")].as_string() == principal.owner
        ways.append(and_(EventRow.visibility == "support", mine["support"]))
        ways.append(and_(EventRow.visibility == "direct", or_(own, sent)))
    return or_(*ways)


def is_visible(event: Event, principal: Principal) -> bool:
    own = principal.user_id is not None and event.owner_id == principal.user_id
    everybodys = event.visibility in sees_what_is_owned(principal)
    match event.visibility:
        case "owner":
            return (own or everybodys) and not event.type.startswith(_hidden(principal))
        case "support":
            return principal.chats and (own or everybodys)
        case "direct":
            return principal.chats and (own or author_of(event) == principal.owner)
    return event.visibility in _kinds(principal)


def may_be_given(event: Event) -> bool:
    """Whether it can get an owner later, as what staff write in a room does when its customer comes."""
    return event.visibility == "support" and event.owner_id is None


def author_of(event: Event) -> str | None:
    """The `Principal.owner` of who wrote a message."""
    author: str | None = event.data.get("author", {}).get("id")
    return author


def sees_what_is_owned(principal: Principal) -> frozenset[Visibility]:
    """By whomever: everybody's orders, everybody's rooms."""
    kinds: set[Visibility] = set()
    if principal.sees_everybody and principal.may("orders:read"):
        kinds.add("owner")
    if principal.answers_customers:
        kinds.add("support")
    return frozenset(kinds)


def _kinds(principal: Principal) -> list[Visibility]:
    """Those of events that are not owned."""
    kinds: list[Visibility] = ["everybody"]
    if principal.sees_unpublished:
        kinds.append("editors")
    if principal.sees_everybody:
        kinds.append("staff")
    return kinds


def _hidden(principal: Principal) -> tuple[str, ...]:
    return tuple(beginning for beginning, scope in _TELLS.items() if not principal.may(scope))
