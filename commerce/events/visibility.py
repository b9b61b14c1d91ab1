"""Who may see an event, decided once, when it is written: the same rule as SQL for logs, and in Python for streams."""

from typing import Literal

from sqlalchemy import ColumnElement, and_, false, or_

from commerce.accounts.principal import Principal
from core.eventlog import Event, EventRow

# `everybody`: who may read events. `editors`: who may change products. `owner`: the person whose it is, and who sees
# everybody's orders. `staff`: who sees everybody. `support`: the person whose room it is, and who answers customers.
# `direct`: the person whom it is for, and the author that its data names.
Visibility = Literal["everybody", "editors", "owner", "staff", "support", "direct"]
OWNED: tuple[Visibility, ...] = ("owner", "support", "direct")  # their owner sees them, whatever else they may


def visible_to(principal: Principal) -> ColumnElement[bool]:
    """For principals that may read events at all."""
    seen: ColumnElement[bool] = EventRow.visibility.in_(_kinds(principal))
    own = EventRow.owner_id == principal.user_id if principal.user_id is not None else false()
    author = EventRow.data[("author", "id")].as_string()
    sent = author == principal.owner if principal.owner is not None else false()
    return or_(seen, and_(EventRow.visibility.in_(OWNED), own), and_(EventRow.visibility == "direct", sent))


def is_visible(event: Event, principal: Principal) -> bool:
    own = principal.user_id is not None and event.owner_id == principal.user_id
    sent = event.visibility == "direct" and principal.owner is not None and author_of(event) == principal.owner
    return event.visibility in _kinds(principal) or (event.visibility in OWNED and own) or sent


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


def _kinds(principal: Principal) -> set[Visibility]:
    kinds: set[Visibility] = {"everybody", *sees_what_is_owned(principal)}
    if principal.sees_unpublished:
        kinds.add("editors")
    if principal.sees_everybody:
        kinds.add("staff")
    return kinds
