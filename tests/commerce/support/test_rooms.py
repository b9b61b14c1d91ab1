"""Whose a room is, and who may enter it."""

import asyncio

import pytest
from sqlalchemy import select, text

from commerce.accounts.errors import MissingScope
from commerce.accounts.principal import ANONYMOUS, Principal
from commerce.accounts.service import AccountService
from commerce.audit.models import AuditRow
from commerce.support.errors import InvalidRoomName, RoomNotFound
from commerce.support.repository import SupportRepository
from commerce.support.service import SupportService
from core.database import Database
from core.errors import AppError, Unauthenticated
from core.resources import assemble
from core.settings import Settings
from tests.commerce.support.conftest import SHOP_KEY, Chat, chat_of
from tests.factories.clocks import NOON, FakeClock
from tests.factories.objects import objects_in_memory


async def audited(chat: Chat) -> list[tuple[str, str, object, object]]:
    columns = AuditRow.actor, AuditRow.subject, AuditRow.before, AuditRow.after
    statement = select(*columns).where(AuditRow.action == "support_room.enter").order_by(AuditRow.position)
    async with chat.resources.database.read() as session:
        return [tuple(row) for row in await session.execute(statement)]


async def test_room_belongs_to_the_customer_who_comes_first(chat: Chat) -> None:
    await chat.send(chat.ada, "r1", "hello")
    before = await chat.counts()

    with pytest.raises(RoomNotFound):
        await chat.send(chat.bob, "r1", "me too")
    with pytest.raises(RoomNotFound):
        await chat.enter(chat.bob, "r1")
    with pytest.raises(RoomNotFound):
        await chat.history(chat.bob, "r1")

    assert await chat.counts() == before
    assert [(room.name, room.owner_id) for room in await chat.rooms(chat.ada)] == [("r1", chat.ada.user_id)]
    assert await chat.rooms(chat.bob) == []
    assert await chat.told(chat.bob) == []
    assert await audited(chat) == [(chat.ada.name, "r1", None, {"owner_id": chat.ada.user_id})]


async def test_entering_makes_a_room_as_writing_does_and_again_changes_nothing(chat: Chat) -> None:
    await chat.enter(chat.ada, "r1")
    once = await chat.counts()

    await chat.enter(chat.ada, "r1")

    assert await chat.counts() == once
    assert once["support_rooms"] == once["support_members"] == 1
    assert await chat.history(chat.ada, "r1") == []


async def test_staff_and_keys_with_the_scope_write_in_every_room_and_own_none(chat: Chat) -> None:
    await chat.send(chat.ada, "r1", "hello")

    for who in (chat.sue, chat.sam, SHOP_KEY):
        await chat.send(who, "r1", "how can I help?")
        await chat.send(who, "new", "nobody here yet")

    assert {room.name: room.owner_id for room in await chat.rooms(SHOP_KEY)} == {"r1": chat.ada.user_id, "new": None}
    assert len(await chat.history(chat.sue, "new")) == 3
    with pytest.raises(RoomNotFound):
        await chat.history(chat.bob, "new")


async def test_customer_who_comes_after_staff_sees_what_was_written_before(chat: Chat) -> None:
    await chat.enter(chat.sam, "r1")
    await chat.send(chat.sue, "r1", "about your order")
    await chat.send(chat.sue, "r1", "between us", chat.sam)
    await chat.send(chat.sue, "other", "not of this room")
    assert await chat.told(chat.ada) == []

    await chat.enter(chat.ada, "r1")

    assert await chat.history(chat.ada, "r1") == ["about your order"]
    assert await chat.told(chat.ada) == ["about your order"]
    assert await chat.told(chat.bob) == []
    assert (await audited(chat))[-1] == (chat.ada.name, "r1", {"owner_id": None}, {"owner_id": chat.ada.user_id})


@pytest.mark.parametrize("waiting", [False, True], ids=["new room", "staff came first"])
async def test_of_two_customers_at_once_one_gets_the_room(
    chat: Chat, database_url: str, settings: Settings, *, waiting: bool
) -> None:
    if waiting:
        await chat.send(chat.sue, "r1", "welcome")
    other_process = Database(database_url)
    other = Chat(
        assemble(settings, FakeClock(), other_process, objects_in_memory(), {}), chat.ada, chat.bob, chat.sue, chat.sam
    )

    outcomes = await asyncio.gather(
        *(chat.send(chat.ada, "r1", "ada") for _ in range(3)),
        *(other.send(chat.bob, "r1", "bob") for _ in range(3)),
        return_exceptions=True,
    )

    await other_process.close()
    (owner,) = {room.owner_id for room in await chat.rooms(chat.sue)}
    winner, loser, text = (chat.ada, chat.bob, "ada") if owner == chat.ada.user_id else (chat.bob, chat.ada, "bob")
    assert sorted(isinstance(each, RoomNotFound) for each in outcomes) == [False] * 3 + [True] * 3
    assert await chat.told(winner) == await chat.history(winner, "r1") == ["welcome"] * waiting + [text] * 3
    assert await chat.told(loser) == []


async def test_customer_who_comes_while_another_takes_the_room_waits_and_is_refused(
    postgres_database: Database, settings: Settings
) -> None:
    chat = await chat_of(assemble(settings, FakeClock(), postgres_database, objects_in_memory(), {}))
    await chat.send(chat.sue, "r1", "welcome")

    async with postgres_database.write() as session:
        await SupportService(session, chat.resources.clock, principal=chat.ada).enter("r1")
        late = asyncio.create_task(chat.enter(chat.bob, "r1"))
        async with asyncio.timeout(30):
            while not await waiting(postgres_database):  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    with pytest.raises(RoomNotFound):
        await late
    assert [room.owner_id for room in await chat.rooms(chat.sue)] == [chat.ada.user_id]


async def waiting(database: Database) -> int:
    """How many transactions wait for a lock."""
    async with database.read() as session:
        return int(await session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))


@pytest.mark.parametrize(
    ("who", "error"),
    [
        (ANONYMOUS, Unauthenticated),
        (Principal("api_key", "k", frozenset(("events:read",)), user_id="usr_1", role="customer"), MissingScope),
        (Principal("api_key", "k", frozenset(("support:write",)), user_id="usr_1", role="customer"), MissingScope),
        (Principal("api_key", "k", frozenset(("events:read",)), user_id="usr_1", role="admin"), MissingScope),
        (Principal("api_key", "k", frozenset(("events:read",))), MissingScope),
    ],
)
async def test_who_may_not_chat_changes_nothing(sqlite_chat: Chat, who: Principal, error: type[AppError]) -> None:
    before = await sqlite_chat.counts()

    with pytest.raises(error):
        await sqlite_chat.enter(who, "r1")

    assert await sqlite_chat.counts() == before


async def test_key_without_an_owner_and_scope_has_no_rooms_without_owners(sqlite_chat: Chat) -> None:
    """None is no owner to be equal to."""
    await sqlite_chat.send(sqlite_chat.sue, "r1", "hello")

    assert await sqlite_chat.rooms(Principal("api_key", "k", frozenset(("events:read",)))) == []


@pytest.mark.parametrize("name", ["a", "Z9", "0._-", "x" * 64, "ord_01jd0a3v5t8zk4e9m2q7r6w1xy"])
async def test_room_has_any_name_of_letters_digits_and_a_few_marks(sqlite_chat: Chat, name: str) -> None:
    await sqlite_chat.enter(sqlite_chat.ada, name)

    assert [room.name for room in await sqlite_chat.rooms(sqlite_chat.ada)] == [name]


@pytest.mark.parametrize("name", ["", "x" * 65, "-a", ".a", "_a", "a b", "a/b", "é", "a\n", "a\0", "\ud800"])
async def test_other_names_are_refused_to_write_and_not_found_to_read(sqlite_chat: Chat, name: str) -> None:
    before = await sqlite_chat.counts()

    with pytest.raises(InvalidRoomName):
        await sqlite_chat.enter(sqlite_chat.sue, name)
    with pytest.raises(InvalidRoomName):
        await sqlite_chat.send(sqlite_chat.sue, name, "hello")
    with pytest.raises(RoomNotFound):
        await sqlite_chat.history(sqlite_chat.sue, name)

    assert await sqlite_chat.counts() == before


async def test_rooms_are_listed_by_their_last_message_to_all_page_by_page(chat: Chat, clock: FakeClock) -> None:
    for name in ("r1", "r2", "r3", "r4"):
        clock.advance(minutes=1)
        await chat.enter(chat.ada, name)
    clock.advance(minutes=1)
    await chat.send(chat.sue, "r2", "first")
    last = await chat.send(chat.sue, "r2", "last")
    clock.advance(minutes=1)
    personal = await chat.send(chat.sue, "r3", "for you", chat.ada)
    await chat.enter(chat.sam, "r1")

    pages: list[list[str]] = []
    after = None
    async with chat.resources.database.read() as session:
        while after is not None or not pages:
            page = await SupportRepository(session).rooms(chat.ada, limit=3, after=after)
            pages.append([room.name for room in page.items])
            after = page.next_cursor

    assert pages == [["r2", "r4", "r3"], ["r1"]]
    of_ada = {room.name: room.last_message for room in await chat.rooms(chat.ada)}
    assert of_ada == {"r1": None, "r2": last, "r3": personal, "r4": None}
    of_sam = {room.name: room.last_message for room in await chat.rooms(chat.sam)}
    assert of_sam == {"r1": None, "r2": last, "r3": None, "r4": None}
    assert {room.created_at for room in await chat.rooms(chat.sam)} == {clock_time(minutes) for minutes in (1, 2, 3, 4)}


def clock_time(minutes: int) -> object:
    return NOON.replace(minute=minutes)


async def test_room_of_a_customer_who_is_deleted_is_nobody_elses_and_names_nobody(chat: Chat) -> None:
    await chat.send(chat.ada, "r1", "hello")
    await chat.send(chat.sue, "r1", "welcome")

    async with chat.resources.database.write() as session:
        await AccountService(session, chat.resources.clock, actor="test").delete(str(chat.ada.user_id))

    with pytest.raises(RoomNotFound):
        await chat.enter(chat.bob, "r1")
    async with chat.resources.database.read() as session:
        messages, _ = await SupportRepository(session).messages("r1", chat.sue, limit=10)
    assert [(each.text, each.author.name) for each in messages] == [("hello", ""), ("welcome", "Support")]
