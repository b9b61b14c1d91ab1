"""Who sees which event: the table, and that both ways of asking agree on everything that is stored."""

from itertools import product
from typing import Any, get_args

import pytest
from sqlalchemy import true

from commerce.accounts.principal import ANONYMOUS, SCOPES, SCOPES_OF, Principal, Role
from commerce.events.visibility import Visibility, author_of, is_visible, visible_to
from core.database import Database
from core.eventlog import Event, EventLog, NewEvent, append
from tests.factories.clocks import NOON

ADA = "usr_ada"
BOB = "usr_bob"
VISIBILITIES: tuple[Visibility, ...] = get_args(Visibility)
OWNERS = (None, ADA, BOB)
AUTHORS = (None, ADA, "key1")
KINDS = [*product(VISIBILITIES, OWNERS, AUTHORS)]


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
    "editor's key for rooms": key("events:read", "support:write", user_id="usr_editor", role="editor"),
    "shop's key": key(*SCOPES),
    "shop's key for events alone": key("events:read"),
}


def all_of(visibility: Visibility) -> set[tuple[str, str | None, str | None]]:
    return set(product([visibility], OWNERS, AUTHORS))


def written_by(author: str) -> set[tuple[str, str | None, str | None]]:
    return set(product(["direct"], OWNERS, [author]))


ADAS = set(product(["owner"], [ADA], AUTHORS))
ADAS_ROOMS = set(product(["support", "direct"], [ADA], AUTHORS)) | written_by(ADA)
EVERYBODYS = all_of("everybody")
EDITORS = all_of("editors")
ORDERS = all_of("owner")
STAFFS = all_of("staff")
ROOMS = all_of("support")
SHOPS = written_by("key1")  # of the shop's own keys
SEEN = {
    "ada, a customer": EVERYBODYS | ADAS | ADAS_ROOMS,
    "ada's key": EVERYBODYS | ADAS,
    "ada's key for events alone": EVERYBODYS | ADAS,
    "support": EVERYBODYS | ORDERS | STAFFS | ROOMS,
    "editor": EVERYBODYS | EDITORS | ORDERS | STAFFS | ROOMS,
    "admin": EVERYBODYS | EDITORS | ORDERS | STAFFS | ROOMS,
    "editor's key for the catalogue": EVERYBODYS | EDITORS | STAFFS,
    "editor's key for events alone": EVERYBODYS | STAFFS,
    "editor's key for rooms": EVERYBODYS | STAFFS | ROOMS,
    "shop's key": EVERYBODYS | EDITORS | ORDERS | STAFFS | ROOMS | SHOPS,
    "shop's key for events alone": EVERYBODYS | STAFFS,
}


async def stored(database: Database) -> None:
    events = [
        NewEvent("support.message", "r1", {"author": {"id": author}} if author else {}, visibility, owner)
        for visibility, owner, author in KINDS
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

    assert {(event.visibility, event.owner_id, author_of(event)) for event in found} == SEEN[name]
    assert [event for event in everything if is_visible(event, PRINCIPALS[name])] == found


async def test_both_ways_agree_on_every_combination_of_scopes_and_roles(sqlite_database: Database) -> None:
    await stored(sqlite_database)
    everything = await seen(sqlite_database, true())
    roles: list[Role | None] = [None, "customer", "support", "editor", "admin"]
    scopes = [(), ("orders:read",), ("catalog:write",), ("support:write",), ("orders:read", "support:write")]
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
