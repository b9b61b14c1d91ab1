"""Who sees which event: the table, and that both ways of asking agree on everything that is stored."""

from itertools import product
from typing import Any, get_args

import pytest
from sqlalchemy import true

from commerce.accounts.principal import ANONYMOUS, SCOPES, SCOPES_OF, Principal, Role
from commerce.events.visibility import Visibility, is_visible, visible_to
from core.database import Database
from core.eventlog import Event, EventLog, NewEvent, append
from tests.factories.clocks import NOON

ADA = "usr_ada"
BOB = "usr_bob"
VISIBILITIES: tuple[Visibility, ...] = get_args(Visibility)
OWNERS = (None, ADA, BOB)


def user(user_id: str, role: Role) -> Principal:
    return Principal("user", user_id, SCOPES_OF[role], user_id=user_id, role=role)


def key(*scopes: str, user_id: str | None = None, role: Role | None = None) -> Principal:
    return Principal("api_key", "key1", frozenset(scopes), user_id=user_id, role=role)


PRINCIPALS = {
    "ada, a customer": user(ADA, "customer"),
    "ada's key": key("events:read", "orders:read", user_id=ADA, role="customer"),
    "ada's key for events alone": key("events:read", user_id=ADA, role="customer"),
    "support": user("usr_support", "support"),
    "editor": user("usr_editor", "editor"),
    "admin": user("usr_admin", "admin"),
    "editor's key for the catalogue": key("events:read", "catalog:write", user_id="usr_editor", role="editor"),
    "editor's key for events alone": key("events:read", user_id="usr_editor", role="editor"),
    "shop's key": key(*SCOPES),
    "shop's key for events alone": key("events:read"),
}
OWN = {("owner", ADA)}
EVERYBODYS = set(product(["everybody"], OWNERS))
EDITORS = set(product(["editors"], OWNERS))
ORDERS = set(product(["owner"], OWNERS))
STAFFS = set(product(["staff"], OWNERS))
SEEN = {
    "ada, a customer": EVERYBODYS | OWN,
    "ada's key": EVERYBODYS | OWN,
    "ada's key for events alone": EVERYBODYS | OWN,
    "support": EVERYBODYS | ORDERS | STAFFS,
    "editor": EVERYBODYS | EDITORS | ORDERS | STAFFS,
    "admin": EVERYBODYS | EDITORS | ORDERS | STAFFS,
    "editor's key for the catalogue": EVERYBODYS | EDITORS | STAFFS,
    "editor's key for events alone": EVERYBODYS | STAFFS,
    "shop's key": EVERYBODYS | EDITORS | ORDERS | STAFFS,
    "shop's key for events alone": EVERYBODYS | STAFFS,
}


async def stored(database: Database) -> None:
    events = [
        NewEvent("product.updated", "prod_1", {}, visibility, owner)
        for visibility, owner in product(VISIBILITIES, OWNERS)
    ]
    async with database.write() as session:
        await append(session, events, NOON)


async def seen(database: Database, condition: Any) -> list[Event]:
    async with database.read() as session:
        return (await EventLog(session).after(None, visible=condition))[0]


@pytest.mark.parametrize("name", PRINCIPALS)
async def test_each_sees_what_the_table_says_and_both_ways_agree(database: Database, name: str) -> None:
    await stored(database)
    everything = await seen(database, true())

    found = await seen(database, visible_to(PRINCIPALS[name]))

    assert {(event.visibility, event.owner_id) for event in found} == SEEN[name]
    assert [event for event in everything if is_visible(event, PRINCIPALS[name])] == found


async def test_both_ways_agree_on_every_combination_of_scopes_and_roles(sqlite_database: Database) -> None:
    await stored(sqlite_database)
    everything = await seen(sqlite_database, true())
    roles: list[Role | None] = [None, "customer", "support", "editor", "admin"]
    scopes = [(), ("orders:read",), ("catalog:write",), ("orders:read", "catalog:write")]
    principals = [
        key("events:read", *some, user_id=user_id, role=role) for some, role, user_id in product(scopes, roles, OWNERS)
    ]

    for principal in [*principals, ANONYMOUS]:
        found = await seen(sqlite_database, visible_to(principal))
        assert [event for event in everything if is_visible(event, principal)] == found, principal


@pytest.mark.parametrize(
    ("type_", "scope"), [("order.paid", "orders:read"), ("report.ready", "reports:read"), ("job.updated", None)]
)
async def test_own_event_takes_the_scope_by_which_the_same_is_read_elsewhere(
    database: Database, type_: str, scope: str | None
) -> None:
    async with database.write() as session:
        await append(session, [NewEvent(type_, "x", {}, "owner", ADA)], NOON)
    (event,) = await seen(database, true())
    others = set(SCOPES) - {scope}
    without, with_it = [key(*scopes, user_id=ADA, role="admin") for scopes in (others, SCOPES)]

    found = [await seen(database, visible_to(principal)) for principal in (without, with_it)]

    assert found == [[event] if scope is None else [], [event]]
    assert [is_visible(event, principal) for principal in (without, with_it)] == [scope is None, True]


async def test_event_that_nobody_owns_is_not_a_key_without_owners(database: Database) -> None:
    """None is no owner to be equal to."""
    async with database.write() as session:
        await append(session, [NewEvent("order.placed", "ord_1", {}, "owner", None)], NOON)

    assert await seen(database, visible_to(key("events:read"))) == []
