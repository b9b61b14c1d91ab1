"""Who may see an event, decided once, when it is written: the same rule as SQL for logs, and in Python for streams."""

from typing import Literal

from sqlalchemy import ColumnElement, and_, false, or_

from commerce.accounts.principal import Principal
from core.eventlog import Event, EventRow

# `everybody`: who may read events. `editors`: who may change products. `owner`: the person whose it is, and who sees
# everybody's orders. `staff`: who sees everybody.
Visibility = Literal["everybody", "editors", "owner", "staff"]


def visible_to(principal: Principal) -> ColumnElement[bool]:
    """For principals that may read events at all."""
    kinds = _kinds(principal)
    seen: ColumnElement[bool] = EventRow.visibility.in_(kinds)
    own = EventRow.owner_id == principal.user_id if principal.user_id is not None else false()
    return or_(seen, and_(EventRow.visibility == "owner", own))


def is_visible(event: Event, principal: Principal) -> bool:
    own = principal.user_id is not None and event.owner_id == principal.user_id
    return event.visibility in _kinds(principal) or (event.visibility == "owner" and own)


def sees_what_is_owned(principal: Principal) -> bool:
    """By whomever: everybody's orders."""
    return principal.sees_everybody and principal.may("orders:read")


def _kinds(principal: Principal) -> list[Visibility]:
    kinds: list[Visibility] = ["everybody"]
    if principal.sees_unpublished:
        kinds.append("editors")
    if principal.sees_everybody:
        kinds.append("staff")
    if sees_what_is_owned(principal):
        kinds.append("owner")
    return kinds
