"""What can be switched off, by whom it is written down, and how every process learns of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from commerce.audit.log import AuditRepository
from commerce.flags.board import FlagBoard
from commerce.flags.entities import Flag
from commerce.flags.errors import FlagNotFound, NotSwitchable, UnknownTarget
from commerce.flags.repository import FlagRepository
from commerce.flags.rules import ALWAYS_ON, canonical
from commerce.flags.service import FlagService
from commerce.upkeep.jobs import CHORES
from core.database import Database, DatabaseUnavailable, ReadSession
from core.errors import Invalid
from core.hub.memory import MemoryHub
from tests.factories.clocks import NOON, FakeClock
from tests.factories.statements import recorded
from tests.fixtures.application import LogEntries

ORDERS, PRODUCTS = "POST /public/v1/orders", "GET /public/v1/products"
KNOWN = {"public", "graphql", "internal", "static", "PUT /internal/flags/{target}", ORDERS, PRODUCTS, *ALWAYS_ON}
NEVER = 3600.0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def board(sqlite_database: Database, hub: MemoryHub, clock: FakeClock) -> AsyncIterator[FlagBoard]:
    async with FlagBoard(sqlite_database, hub, clock, look_seconds=NEVER) as board:
        yield board


async def off(database: Database, clock: FakeClock, target: str, actor: str = "user:usr_1", **values: Any) -> Flag:
    async with database.write() as session:
        flags = FlagService(session, clock, actor=actor, known=KNOWN)
        return await flags.switch_off(target, **{"reason": "a storm"} | values)


async def on(database: Database, clock: FakeClock, target: str) -> None:
    async with database.write() as session:
        await FlagService(session, clock, actor="user:usr_2").switch_on(target, reason="it is over")


async def holding(database: Database, clock: FakeClock) -> list[str]:
    async with database.read() as session:
        return [flag.target for flag in await FlagRepository(session).holding(clock.now())]


async def audited(database: Database) -> list[Any]:
    async with database.read() as session:
        entries, _ = await AuditRepository(session).newest()
    return [(entry.action, entry.actor, entry.subject, entry.before, entry.after) for entry in reversed(entries)]


@pytest.mark.parametrize(
    ("said", "target"),
    [
        ("graphql", "graphql"),
        ("/graphql/", "graphql"),
        ("post /public/v1/orders/", ORDERS),
        ("POST public/v1/orders", ORDERS),
        ("GET /", "GET /"),
        ("", ""),
    ],
)
def test_target_is_known_in_any_spelling(said: str, target: str) -> None:
    assert canonical(said) == target


async def test_each_change_is_audited_with_before_and_after(database: Database, clock: FakeClock) -> None:
    later = NOON + timedelta(hours=1)
    await off(database, clock, ORDERS, message="back soon")
    await off(database, clock, ORDERS, actor="user:usr_3", reason="worse", message="back soon", expires_at=later)
    await on(database, clock, ORDERS)

    assert await holding(database, clock) == []
    assert await audited(database) == [
        (
            "flag.switch_off",
            "user:usr_1",
            ORDERS,
            {"off": False, "reason": None, "message": None},
            {"off": True, "reason": "a storm", "message": "back soon"},
        ),
        (
            "flag.switch_off",
            "user:usr_3",
            ORDERS,
            {"reason": "a storm", "expires_at": None},
            {"reason": "worse", "expires_at": "2026-03-01T13:00:00+00:00"},
        ),
        (
            "flag.switch_on",
            "user:usr_2",
            ORDERS,
            {"off": True, "reason": "worse", "message": "back soon", "expires_at": "2026-03-01T13:00:00+00:00"},
            {"off": False, "reason": "it is over", "message": None, "expires_at": None},
        ),
    ]


async def test_admins_who_switch_at_once_leave_one_flag_and_an_entry_each(database: Database, clock: FakeClock) -> None:
    await asyncio.gather(*(off(database, clock, ORDERS, reason=f"reason {number}") for number in range(5)))

    assert await holding(database, clock) == [ORDERS]
    befores = [before["reason"] for _, _, _, before, _ in await audited(database)]
    afters = [after["reason"] for _, _, _, _, after in await audited(database)]
    assert befores == [None, *afters[:-1]]


async def test_unknown_target_is_refused_with_what_is_near(sqlite_database: Database, clock: FakeClock) -> None:
    with pytest.raises(UnknownTarget, match=r"did you mean 'POST /public/v1/orders'"):
        await off(sqlite_database, clock, "POST /public/v1/order")
    with pytest.raises(UnknownTarget, match="GET /internal/topology lists them"):
        await off(sqlite_database, clock, "zzzzzz")

    assert await holding(sqlite_database, clock) == []
    assert await audited(sqlite_database) == []


@pytest.mark.parametrize("target", ["internal", "PUT /internal/flags/{target}", *ALWAYS_ON])
async def test_what_operators_need_is_refused_with_why(
    sqlite_database: Database, clock: FakeClock, target: str
) -> None:
    with pytest.raises(NotSwitchable, match=r"cannot be switched off: \w+"):
        await off(sqlite_database, clock, target)

    assert await holding(sqlite_database, clock) == []


@pytest.mark.parametrize("expires_at", [NOON, datetime(2020, 1, 1, tzinfo=UTC)])
async def test_flag_that_has_expired_is_refused(
    sqlite_database: Database, clock: FakeClock, expires_at: datetime
) -> None:
    with pytest.raises(Invalid, match="expired"):
        await off(sqlite_database, clock, ORDERS, expires_at=expires_at)

    assert await holding(sqlite_database, clock) == []


async def test_only_what_is_off_is_switched_on(database: Database, clock: FakeClock) -> None:
    await off(database, clock, ORDERS, expires_at=NOON + timedelta(minutes=1))
    with pytest.raises(FlagNotFound):
        await on(database, clock, "graphql")
    clock.advance(minutes=1)
    with pytest.raises(FlagNotFound):
        await on(database, clock, ORDERS)

    assert len(await audited(database)) == 1


async def test_expired_flag_is_forgotten(database: Database, clock: FakeClock) -> None:
    await off(database, clock, ORDERS, expires_at=NOON + timedelta(minutes=1))
    await off(database, clock, "graphql")
    clock.advance(minutes=1)

    assert await holding(database, clock) == ["graphql"]
    async with database.write() as session:
        await CHORES["flags"](session, clock.now())

    clock.advance(minutes=-1)
    assert await holding(database, clock) == ["graphql"]


async def test_board_refuses_the_mount_and_the_route_that_are_off(
    board: FlagBoard, sqlite_database: Database, clock: FakeClock
) -> None:
    await off(sqlite_database, clock, ORDERS, message="back at one", expires_at=NOON + timedelta(minutes=30))
    await off(sqlite_database, clock, "graphql")

    refused = await board.refusal("public", ORDERS)
    mount = await board.refusal("graphql", None)

    assert refused is not None
    assert (refused.detail, refused.retry_after_seconds) == ("back at one", 1800)
    assert mount is not None
    assert (mount.detail, mount.retry_after_seconds) == ("this is switched off for now", 60)
    assert await board.refusal("public", PRODUCTS) is None
    assert await board.refusal("public", None) is None


async def test_change_made_here_counts_for_the_next_request(
    board: FlagBoard, sqlite_database: Database, clock: FakeClock
) -> None:
    assert await board.refusal("public", ORDERS) is None
    assert board.any is False

    await off(sqlite_database, clock, ORDERS)

    assert board.any is True
    assert await board.refusal("public", ORDERS) is not None

    await on(sqlite_database, clock, ORDERS)

    assert await board.refusal("public", ORDERS) is None
    assert board.any is False


class HeldUp(Database):
    """What was read before `go_on` is not had before it."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.has_read, self.go_on = asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadSession]:
        async with super().read() as session:
            yield session
        self.has_read.set()
        await self.go_on.wait()


async def test_change_counts_though_a_look_from_before_it_is_under_way(
    sqlite_database_url: str, clock: FakeClock
) -> None:
    database, hub = HeldUp(sqlite_database_url), MemoryHub()
    database.on_announced = hub.publish
    async with FlagBoard(database, hub, clock, look_seconds=NEVER) as board:
        await database.has_read.wait()
        await off(database, clock, ORDERS)
        request = asyncio.create_task(board.refusal("public", ORDERS))
        await asyncio.sleep(0)
        database.go_on.set()

        assert await request is not None
    await database.close()


async def test_board_names_what_is_off_by_its_target(
    board: FlagBoard, sqlite_database: Database, clock: FakeClock
) -> None:
    assert await board.off() == []
    orders = await off(sqlite_database, clock, ORDERS, expires_at=NOON + timedelta(seconds=10))
    graphql = await off(sqlite_database, clock, "graphql")

    assert await board.off() == [orders, graphql]

    clock.advance(seconds=10)

    assert await board.off() == [graphql]


async def test_board_that_has_never_looked_does_not_say_that_nothing_is_off(
    sqlite_database_url: str, log_entries: LogEntries, clock: FakeClock
) -> None:
    database = Away(sqlite_database_url)
    database.away = True
    async with FlagBoard(database, MemoryHub(), clock, look_seconds=NEVER) as board:
        assert await board.off() is None
    await database.close()
    assert {entry["event"] for entry in log_entries.application} <= {"flags_waits"}


async def test_asking_costs_no_sql(sqlite_database: Database, clock: FakeClock) -> None:
    await off(sqlite_database, clock, ORDERS)
    board = FlagBoard(sqlite_database, MemoryHub(), clock)  # which looks when it is asked alone
    assert await board.refusal("public", ORDERS) is not None

    with recorded(sqlite_database.reader) as sent:
        for _ in range(10):
            await board.refusal("public", ORDERS)

    assert sent == []


async def test_flag_expires_by_itself(board: FlagBoard, sqlite_database: Database, clock: FakeClock) -> None:
    await off(sqlite_database, clock, ORDERS, expires_at=NOON + timedelta(seconds=10))
    assert await board.refusal("public", ORDERS) is not None

    clock.advance(seconds=10)

    assert await board.refusal("public", ORDERS) is None


async def test_what_must_stay_on_does_so_where_its_mount_is_off(
    board: FlagBoard, sqlite_database: Database, clock: FakeClock
) -> None:
    await off(sqlite_database, clock, "public")

    assert await board.refusal("public", ORDERS) is not None
    assert await board.refusal("public", "GET /public/problems/{code}") is None


async def test_other_process_learns_of_it_by_itself(database: Database, clock: FakeClock) -> None:
    """Nobody wakes it: its hub hears nothing."""
    async with FlagBoard(database, MemoryHub(), clock, look_seconds=0.02) as elsewhere:
        assert await elsewhere.refusal("public", ORDERS) is None
        await off(database, clock, ORDERS)
        async with asyncio.timeout(20):
            while await elsewhere.refusal("public", ORDERS) is None:  # noqa: ASYNC110  nobody else waits for it
                await asyncio.sleep(0.02)
            await on(database, clock, ORDERS)
            while elsewhere.any:  # noqa: ASYNC110  as above
                await asyncio.sleep(0.02)


class Away(Database):
    """Refuses all reads while it is away."""

    away = False

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadSession]:
        if self.away:
            raise DatabaseUnavailable
        async with super().read() as session:
            yield session


async def test_while_the_database_is_away_what_is_known_counts(
    sqlite_database_url: str, log_entries: LogEntries, clock: FakeClock
) -> None:
    database, hub = Away(sqlite_database_url), MemoryHub()
    async with FlagBoard(database, hub, clock, look_seconds=NEVER) as board:
        await off(database, clock, ORDERS)
        hub.publish("flags")
        assert await board.refusal("public", ORDERS) is not None
        database.away = True
        hub.publish("flags")

        assert await board.refusal("public", ORDERS) is not None
        assert await board.refusal("public", PRODUCTS) is None
        assert board.any is True
    await database.close()
    assert {entry["event"] for entry in log_entries.application} <= {"flags_waits"}
