"""The registry in memory: asked without SQL, right after a change here, soon after one elsewhere."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text

from commerce.operations.entities import EVERYBODY, Mode, Policy
from commerce.operations.memory import Memory
from commerce.operations.registry import OperationRegistry
from core.database import Database, DatabaseUnavailable
from core.hub.memory import MemoryHub
from tests.factories.clocks import FakeClock
from tests.factories.operations import allow, an_operation, forget, register, sha
from tests.factories.statements import recorded

SHOP, CART = "query Shop { __typename }", "mutation Cart { __typename }"
CLOCK = FakeClock()
NEVER = 3600.0


@pytest.fixture
async def registry(sqlite_database: Database, hub: MemoryHub) -> AsyncIterator[OperationRegistry]:
    async with OperationRegistry(sqlite_database, hub, look_seconds=NEVER) as registry:
        yield registry


async def test_what_is_known_is_found_without_sql(registry: OperationRegistry, sqlite_database: Database) -> None:
    await register(sqlite_database, CLOCK, SHOP)
    await registry.find("web", sha(SHOP))
    with recorded(sqlite_database.reader) as sent:
        found = [await registry.find("web", sha(SHOP)) for _ in range(3)]
        policy = await registry.policy("web")

    assert found == [an_operation(SHOP)] * 3
    assert policy == Policy("web")
    assert sent == []


async def test_many_who_ask_for_one_hash_are_one_statement(
    registry: OperationRegistry, sqlite_database: Database
) -> None:
    await register(sqlite_database, CLOCK, SHOP)
    await registry.policy("web")
    with recorded(sqlite_database.reader) as sent:
        found = await asyncio.gather(*(registry.find("web", sha(SHOP)) for _ in range(50)))

    assert set(found) == {an_operation(SHOP)}
    assert len(sent) == 1


async def test_hash_that_is_not_there_is_asked_for_once(registry: OperationRegistry, sqlite_database: Database) -> None:
    await registry.policy("web")
    with recorded(sqlite_database.reader) as sent:
        found = [await registry.find("web", "0" * 64) for _ in range(10)]

    assert (found, len(sent)) == ([None] * 10, 1)


async def test_hash_that_was_not_there_is_found_once_it_is(
    registry: OperationRegistry, sqlite_database: Database
) -> None:
    before = await registry.find("web", sha(SHOP))
    await register(sqlite_database, CLOCK, SHOP)

    assert (before, await registry.find("web", sha(SHOP))) == (None, an_operation(SHOP))


async def test_operation_is_found_by_its_own_client_and_by_all_for_everybody(
    registry: OperationRegistry, sqlite_database: Database
) -> None:
    await register(sqlite_database, CLOCK, SHOP)
    await register(sqlite_database, CLOCK, CART, client=EVERYBODY)

    found = {
        (client, name): await registry.find(client, sha(name)) is not None
        for client in ("web", "ios", "", EVERYBODY)
        for name in (SHOP, CART)
    }

    assert [key for key, there in found.items() if not there] == [("ios", SHOP), ("", SHOP), (EVERYBODY, SHOP)]


async def test_forgotten_operation_is_gone_at_once(registry: OperationRegistry, sqlite_database: Database) -> None:
    await register(sqlite_database, CLOCK, SHOP, CART, version="1")
    await register(sqlite_database, CLOCK, CART, version="2")
    assert await registry.find("web", sha(SHOP)) is not None

    await forget(sqlite_database, CLOCK, version="1")

    assert await registry.find("web", sha(SHOP)) is None
    assert await registry.find("web", sha(CART)) == an_operation(CART)


@pytest.mark.parametrize(
    ("everybody", "own", "effective"),
    [
        ("off", "off", "off"),
        ("off", "enforce", "enforce"),
        ("log", "off", "log"),
        ("log", "enforce", "enforce"),
        ("enforce", "off", "enforce"),
        ("enforce", "log", "enforce"),
    ],
)
async def test_client_is_held_to_what_everybody_is_held_to(
    registry: OperationRegistry, sqlite_database: Database, everybody: Mode, own: Mode, effective: Mode
) -> None:
    await registry.policy("web")
    await allow(sqlite_database, CLOCK, EVERYBODY, mode=everybody)
    await allow(sqlite_database, CLOCK, "web", mode=own, automatic=True)

    assert await registry.policy("web") == Policy("web", effective, automatic=True)
    assert await registry.policy("unknown") == Policy(EVERYBODY, everybody)
    assert await registry.policy("") == Policy(EVERYBODY, everybody)


async def test_change_of_another_process_is_seen_soon(sqlite_database: Database) -> None:
    """Whose wake-ups do not come here."""
    async with OperationRegistry(sqlite_database, MemoryHub(), look_seconds=0.01) as registry:
        await registry.policy("web")
        await allow(sqlite_database, CLOCK, "web", mode="enforce")
        async with asyncio.timeout(30):
            while (await registry.policy("web")).mode == "off":  # noqa: ASYNC110  nothing tells of it
                await asyncio.sleep(0.01)


class Away(Database):
    """Can be lost and come back."""

    lost = False

    def read(self) -> Any:
        if self.lost:
            raise DatabaseUnavailable
        return super().read()


@pytest.fixture
async def away(sqlite_database_url: str) -> AsyncIterator[Away]:
    database = Away(sqlite_database_url)
    yield database
    await database.close()


async def test_what_is_known_holds_while_the_database_is_away(away: Away) -> None:
    hub = MemoryHub()
    away.on_announced = hub.publish
    async with OperationRegistry(away, hub, look_seconds=NEVER) as registry:
        await register(away, CLOCK, SHOP)
        await allow(away, CLOCK, "web", mode="enforce")
        await registry.find("web", sha(SHOP))
        away.lost = True
        hub.publish("operations")

        assert await registry.find("web", sha(SHOP)) == an_operation(SHOP)
        assert (await registry.policy("web")).mode == "enforce"
        with pytest.raises(DatabaseUnavailable):
            await registry.find("web", sha(CART))


async def test_nothing_is_let_through_before_the_modes_were_read(away: Away) -> None:
    away.lost = True
    async with OperationRegistry(away, MemoryHub(), look_seconds=NEVER) as registry:
        with pytest.raises(DatabaseUnavailable):
            await registry.policy("web")
        away.lost = False

        assert await registry.policy("web") == Policy(EVERYBODY)


async def test_first_who_ask_wait_for_the_first_look(sqlite_database: Database, hub: MemoryHub) -> None:
    await allow(sqlite_database, CLOCK, EVERYBODY, mode="enforce")
    async with OperationRegistry(sqlite_database, hub, look_seconds=NEVER) as registry:
        policies = await asyncio.gather(*(registry.policy("web") for _ in range(20)))

    assert {policy.mode for policy in policies} == {"enforce"}


async def test_newest_are_remembered(registry: OperationRegistry, sqlite_database: Database) -> None:
    await register(sqlite_database, CLOCK, SHOP, CART)

    found = await registry.newest(10)

    assert {operation.text for operation in found} == {SHOP, CART}
    assert registry.recall("web", sha(SHOP)) == an_operation(SHOP)
    assert registry.recall("ios", sha(SHOP)) is None


async def test_automatic_text_is_remembered_here_and_registered_nowhere(
    registry: OperationRegistry, sqlite_database: Database
) -> None:
    registry.remember(SHOP)

    assert registry.automatic(sha(SHOP)) == SHOP
    assert await registry.find("web", sha(SHOP)) is None
    async with sqlite_database.read() as session:
        assert await session.scalar(text("SELECT count(*) FROM operations")) == 0


def test_memory_keeps_within_its_room_what_was_asked_for_last() -> None:
    memory: Memory[str] = Memory(10)
    for key, size in (("a", 4), ("b", 4)):
        memory.put(key, key.upper(), size)
    memory.get("a")
    memory.put("c", "C", 3)

    assert [memory.get(key) for key in "abc"] == ["A", None, "C"]
    memory.put("a", "A", 6)
    assert [memory.get(key) for key in "ac"] == ["A", "C"]
    memory.put("d", "D", 11)
    assert [memory.get(key) for key in "acd"] == [None, None, None]
    memory.put("e", "E", 10)
    assert memory.get("e") == "E"
