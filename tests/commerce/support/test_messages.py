"""What is written: once, in the order of the log, for those alone whom it is for."""

import asyncio

import pytest

from commerce.accounts.principal import SCOPES, Principal
from commerce.support.commands import MAX_TEXT, SendMessage
from commerce.support.errors import InvalidMessage, UnknownRecipient
from commerce.support.repository import SupportRepository
from core.database import Database
from core.eventlog import event_id
from core.pagination import InvalidCursor
from core.resources import assemble
from core.settings import Settings
from tests.commerce.support.conftest import SHOP_KEY, Chat
from tests.factories.clocks import NOON, FakeClock
from tests.factories.objects import objects_in_memory


async def test_message_is_one_row_and_one_event(chat: Chat) -> None:
    message = await chat.send(chat.ada, "r1", "hello")

    (event,) = await chat.events(chat.sue)
    assert (event.type, event.subject, event.time, event.id) == ("support.message", "r1", NOON, message.cursor)
    assert (event.visibility, event.owner_id) == ("support", chat.ada.user_id)
    assert event.data == {
        "id": message.id,
        "room": "r1",
        "author": {"id": chat.ada.user_id, "name": "Customer", "staff": False},
        "to": None,
        "text": "hello",
    }
    async with chat.resources.database.read() as session:
        assert await SupportRepository(session).messages("r1", chat.ada, limit=10) == ([message], False)


async def test_shops_own_key_writes_as_the_shop(chat: Chat) -> None:
    message = await chat.send(SHOP_KEY, "r1", "hello")

    assert (message.author.id, message.author.name, message.author.is_staff) == ("shop1", "Shop", True)


async def test_personal_message_is_for_author_and_recipient_alone(chat: Chat) -> None:
    for who in (chat.ada, chat.sam):
        await chat.enter(who, "r1")
    await chat.send(chat.sue, "r1", "for all")
    await chat.send(chat.sue, "r1", "sue to ada", chat.ada)
    await chat.send(chat.sue, "r1", "sue to sam", chat.sam)
    await chat.send(chat.ada, "r1", "ada to sue", chat.sue)
    await chat.send(SHOP_KEY, "r1", "shop to ada", chat.ada)

    expected = {
        "ada": ["for all", "sue to ada", "ada to sue", "shop to ada"],
        "sue": ["for all", "sue to ada", "sue to sam", "ada to sue"],
        "sam": ["for all", "sue to sam"],
        "shop": ["for all", "shop to ada"],
        "another key": ["for all"],
        "sue's key": ["for all", "sue to ada", "sue to sam", "ada to sue"],
    }
    readers = {
        "ada": chat.ada,
        "sue": chat.sue,
        "sam": chat.sam,
        "shop": SHOP_KEY,
        "another key": Principal("api_key", "shop2", frozenset(SCOPES)),
        "sue's key": Principal("api_key", "k", frozenset(SCOPES), user_id=chat.sue.user_id, role="support"),
    }
    assert {name: await chat.history(who, "r1") for name, who in readers.items()} == expected
    assert {name: await chat.told(who) for name, who in readers.items()} == expected
    assert await chat.told(chat.bob) == []


async def test_personal_message_is_for_who_is_or_was_in_the_room(chat: Chat) -> None:
    await chat.send(chat.ada, "r1", "hello")
    await chat.enter(chat.sam, "other")
    before = await chat.counts()

    for to in (chat.bob, chat.sam, SHOP_KEY, Principal("user", "usr_x", user_id="usr_x")):
        with pytest.raises(UnknownRecipient) as refused:
            await chat.send(chat.sue, "r1", "psst", to if to is not SHOP_KEY else Principal("user", user_id="shop1"))
        assert refused.value.errors[0].pointer == "/to"
    with pytest.raises(UnknownRecipient):
        await chat.send(chat.sue, "r1", "psst", Principal("user", user_id="usr_\0"))

    assert await chat.counts() == before


@pytest.mark.parametrize("text", ["x", "x" * MAX_TEXT, " é\n", "'; DROP TABLE"])
async def test_text_is_kept_as_it_is(chat: Chat, text: str) -> None:
    await chat.send(chat.ada, "r1", text)

    assert await chat.history(chat.ada, "r1") == await chat.told(chat.sue) == [text]


@pytest.mark.parametrize("text", ["", " \n", "x" * (MAX_TEXT + 1), "a\0b", "\ud800"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(InvalidMessage) as refused:
        SendMessage("r1", text)

    assert refused.value.errors[0].pointer == "/text"


async def test_order_of_messages_is_that_of_the_log_whoever_writes_at_once(
    chat: Chat, database_url: str, settings: Settings
) -> None:
    other_process = Database(database_url)
    other = Chat(
        assemble(settings, FakeClock(), other_process, objects_in_memory(), {}), chat.ada, chat.bob, chat.sue, chat.sam
    )
    await chat.enter(chat.ada, "r1")

    sent = await asyncio.gather(
        *(chat.send(chat.ada, "r1", f"ada {n}") for n in range(10)),
        *(other.send(chat.sue, "r1", f"sue {n}") for n in range(10)),
        *(other.send(chat.bob, "r2", f"bob {n}") for n in range(5)),
    )

    await other_process.close()
    in_order = [each.text for each in sorted(sent, key=lambda each: each.position)]
    assert await chat.history(chat.sue, "r1") == [text for text in in_order if not text.startswith("bob")]
    events = await chat.events(chat.sue)
    assert [event.data["text"] for event in events] == in_order
    assert {event.data["id"]: event.id for event in events} == {each.id: each.cursor for each in sent}
    assert await chat.told(chat.bob) == await chat.history(chat.bob, "r2")


async def test_history_is_read_page_by_page_while_it_grows(chat: Chat) -> None:
    for n in range(5):
        await chat.send(chat.ada, "r1", f"r1 {n}")
        await chat.send(chat.bob, "r2", f"r2 {n}")
        await chat.send(chat.sue, "r1", f"personal {n}", chat.ada)

    found: list[str] = []
    after = None
    for grows in (True, False, False, False):
        async with chat.resources.database.read() as session:
            page, more = await SupportRepository(session).messages("r1", chat.sam, limit=2, after=after)
        found += [message.text for message in page]
        after = page[-1].cursor if page else after
        if grows:
            await chat.send(chat.ada, "r1", "late")
            assert more

    assert found == ["r1 0", "r1 1", "r1 2", "r1 3", "r1 4", "late"]


async def test_cursor_that_is_none_is_refused(sqlite_chat: Chat) -> None:
    await sqlite_chat.send(sqlite_chat.ada, "r1", "hello")

    async with sqlite_chat.resources.database.read() as session:
        with pytest.raises(InvalidCursor):
            await SupportRepository(session).messages("r1", sqlite_chat.ada, limit=1, after="evt_nothing")
        assert await SupportRepository(session).messages("r1", sqlite_chat.ada, limit=1, after=event_id(99)) == (
            [],
            False,
        )
