"""The tables of the registry, on each kind of database: what registering, forgetting and modes leave behind."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from commerce.audit.log import AuditRepository
from commerce.operations.entities import EVERYBODY, Operation, Policy, RegisteredClient, RegisteredOperation
from commerce.operations.errors import InvalidClientName, VersionNotRegistered
from commerce.operations.models import OperationRow
from commerce.operations.repository import OperationRepository
from commerce.operations.service import OperationService
from commerce.usage.entities import Kind
from commerce.usage.repository import Count, Used, add_uses
from core.database import Database
from core.pagination import Page
from tests.factories.clocks import FakeClock
from tests.factories.operations import an_operation, forget, register, sha

SHOP, CART, MENU = "query Shop { __typename }", "mutation Cart { __typename }", "query Menu { __typename }"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


async def do(database: Database, clock: FakeClock, name: str, *arguments: Any, **options: Any) -> Any:
    async with database.write() as session:
        return await getattr(OperationService(session, clock, actor="test"), name)(*arguments, **options)


async def audited(database: Database) -> list[tuple[str, str, Any, Any]]:
    async with database.read() as session:
        entries, _ = await AuditRepository(session).newest()
    return [(entry.action, entry.subject, entry.before, entry.after) for entry in reversed(entries)]


async def listed(database: Database, **options: Any) -> Page[RegisteredOperation]:
    async with database.read() as session:
        return await OperationRepository(session).listed(**{"page": 1, "size": 10, **options})


async def texts(database: Database) -> set[str]:
    async with database.read() as session:
        return set(await session.scalars(select(OperationRow.text)))


async def clients(database: Database) -> list[RegisteredClient]:
    async with database.read() as session:
        return await OperationRepository(session).registered_clients()


async def test_registering_again_adds_what_is_new(database: Database, clock: FakeClock) -> None:
    both = [an_operation(SHOP), an_operation(CART)]
    assert await do(database, clock, "register", "web", "1.4.0", both) == 2
    assert await do(database, clock, "register", "web", "1.4.0", both) == 0
    assert await do(database, clock, "register", "web", "1.5.0", [*both, an_operation(MENU)]) == 1
    assert await do(database, clock, "register", "ios", "1", [an_operation(SHOP)]) == 0

    assert await clients(database) == [
        RegisteredClient(EVERYBODY, "off", automatic=False, versions=(), operations=0),
        RegisteredClient("ios", "off", automatic=False, versions=("1",), operations=1),
        RegisteredClient("web", "off", automatic=False, versions=("1.4.0", "1.5.0"), operations=3),
    ]
    assert await audited(database) == [
        ("operations.register", "web", None, {"version": "1.4.0", "operations": 2, "new": 2}),
        ("operations.register", "web", None, {"version": "1.5.0", "operations": 3, "new": 1}),
        ("operations.register", "ios", None, {"version": "1", "operations": 1, "new": 0}),
    ]


async def test_thousands_are_registered_at_once(database: Database, clock: FakeClock) -> None:
    many = [an_operation(f"query Number{number} {{ __typename }}") for number in range(2_001)]

    assert await do(database, clock, "register", "web", "1", many) == 2_001

    assert len(await texts(database)) == 2_001


async def test_forgotten_version_takes_with_it_what_nobody_else_has(database: Database, clock: FakeClock) -> None:
    await register(database, clock, SHOP, CART, MENU, version="1")
    await register(database, clock, SHOP, version="2")
    await register(database, clock, CART, client="ios")

    assert await do(database, clock, "forget", "web", "1") == 3

    assert await texts(database) == {SHOP, CART}
    assert [(each.name, each.versions) for each in await clients(database)] == [
        (EVERYBODY, ()),
        ("ios", ("1.0",)),
        ("web", ("2",)),
    ]
    assert (await audited(database))[-1] == ("operations.forget", "web", {"version": "1", "operations": 3}, None)


@pytest.mark.parametrize(("client", "version"), [("web", "2"), ("nobody", "1"), (EVERYBODY, "1")])
async def test_what_was_not_registered_cannot_be_forgotten(
    sqlite_database: Database, clock: FakeClock, client: str, version: str
) -> None:
    await register(sqlite_database, clock, SHOP, version="1")

    with pytest.raises(VersionNotRegistered):
        await forget(sqlite_database, clock, client, version)

    assert await texts(sqlite_database) == {SHOP}
    assert len(await audited(sqlite_database)) == 1


@pytest.mark.parametrize(
    ("client", "version"), [("", "1"), ("a\nb", "1"), (" web", "1"), ("x" * 65, "1"), ("web", ""), ("web", "\0")]
)
async def test_names_that_no_header_can_say_are_refused(
    sqlite_database: Database, clock: FakeClock, client: str, version: str
) -> None:
    with pytest.raises(InvalidClientName):
        await register(sqlite_database, clock, SHOP, client=client, version=version)

    assert (await texts(sqlite_database), await audited(sqlite_database)) == (set(), [])


async def test_mode_and_automatic_change_apart(database: Database, clock: FakeClock) -> None:
    assert await do(database, clock, "change", "web", mode="log") == Policy("web", "log", automatic=False)
    assert await do(database, clock, "change", "web", automatic=True) == Policy("web", "log", automatic=True)
    assert await do(database, clock, "change", "web", mode="log") == Policy("web", "log", automatic=True)
    assert await do(database, clock, "change", EVERYBODY, mode="enforce") == Policy(EVERYBODY, "enforce")

    assert [(each.name, each.mode, each.automatic) for each in await clients(database)] == [
        (EVERYBODY, "enforce", False),
        ("web", "log", True),
    ]
    assert await audited(database) == [
        ("operations.client", "web", None, {"client": "web", "mode": "log", "automatic": False}),
        ("operations.client", "web", {"automatic": False}, {"automatic": True}),
        ("operations.client", EVERYBODY, {"mode": "off"}, {"mode": "enforce"}),
    ]


async def use(
    database: Database, clock: FakeClock, text: str, client: str, uses: int, kind: Kind = "operation"
) -> None:
    async with database.write() as session:
        await add_uses(session, {Used(kind, sha(text), client, "1"): Count(uses, clock.now(), clock.now())})


async def test_list_tells_uses_and_begins_with_what_nobody_needs(database: Database, clock: FakeClock) -> None:
    begun = clock.now()
    await register(database, clock, SHOP, CART, MENU)
    await register(database, clock, SHOP, client="ios")
    await use(database, clock, SHOP, "web", 3)
    await use(database, clock, MENU, "web", 1, "field")
    clock.advance(seconds=86_400)
    await use(database, clock, SHOP, "ios", 4)
    await use(database, clock, CART, "web", 1)
    clock.advance(seconds=86_400)
    await use(database, clock, CART, "web", 1)

    found = await listed(database)
    by_web = await listed(database, client="web")
    unused = await listed(database, unused_since=begun + timedelta(days=2))
    second = await listed(database, page=2, size=1)

    day = timedelta(days=1)
    assert [(each.name, each.uses, each.last_used_at) for each in found.items] == [
        ("Menu", 0, None),
        ("Shop", 7, begun + day),
        ("Cart", 2, begun + 2 * day),
    ]
    assert [(owner.client, owner.version) for owner in found.items[1].registrations] == [("ios", "1.0"), ("web", "1.0")]
    assert [(each.name, each.uses, each.last_used_at) for each in by_web.items] == [
        ("Menu", 0, None),
        ("Shop", 3, begun),
        ("Cart", 2, begun + 2 * day),
    ]
    assert [each.name for each in unused.items] == ["Menu", "Shop"]
    assert ([each.name for each in second.items], second.total) == (["Shop"], 3)
    assert (await listed(database, client="nobody")).items == []
    assert (await listed(database, client="\0")).items == []


async def test_newest_are_those_used_last_then_those_registered_last(database: Database, clock: FakeClock) -> None:
    await register(database, clock, SHOP, CART)
    clock.advance(seconds=1)
    await register(database, clock, MENU, client="ios")
    await use(database, clock, CART, "web", 1)

    async with database.read() as session:
        found = await OperationRepository(session).newest(2)

    assert found == [(an_operation(CART), frozenset({"web"})), (an_operation(MENU), frozenset({"ios"}))]


async def test_operation_is_read_with_all_its_clients(database: Database, clock: FakeClock) -> None:
    await register(database, clock, SHOP, version="1")
    await register(database, clock, SHOP, version="2")
    await register(database, clock, SHOP, client=EVERYBODY)

    async with database.read() as session:
        found = await OperationRepository(session).operation(sha(SHOP))
        missing = await OperationRepository(session).operation("0" * 64)

    assert found == (Operation(sha(SHOP), "Shop", "query", SHOP), frozenset({"web", EVERYBODY}))
    assert missing is None
