"""The live page while its server is stopped, killed, replaced: it goes on where it was, nothing missing or doubled."""

import signal
from dataclasses import dataclass

import pytest
from playwright.async_api import expect

from tests.pages.conftest import Visit
from tests.pages.shop import Shop
from tests.pages.visiting import Visitor


@dataclass(frozen=True)
class Visited:
    """A customer on the page, who has ordered and said something."""

    visitor: Visitor
    token: str
    order: str
    room: str

    async def has_caught_up(self, shop: Shop) -> None:
        await self.visitor.feed_is("live")
        await self.visitor.chat_is("live")
        assert await self.visitor.cursors(self.visitor.entries) == shop.events(self.token)[::-1]
        assert await self.visitor.cursors(self.visitor.messages) == shop.messages(self.room)


@pytest.fixture
async def visited(shop: Shop, visit: Visit) -> Visited:
    ada = shop.customer("Ada")
    visitor = await visit(shop)
    await visitor.sign_in(ada)
    await visitor.order()
    await visitor.chat_is("live")
    await visitor.say("Before")
    token = shop.sign_in(ada)
    (order,) = shop.get("orders", token)["items"]
    return Visited(visitor, token, order["id"], await visitor.room())


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
async def test_feed_and_chat_catch_up_when_the_server_is_back(
    shop: Shop, visited: Visited, how: signal.Signals
) -> None:
    visitor = visited.visitor

    shop.stop(how)
    await visitor.feed_is("reconnecting")
    await visitor.chat_is("reconnecting")
    with shop.unseen():
        shop.post(f"orders/{visited.order}/payments")
        shop.say(visited.room, "Meanwhile")
    shop.go_on()
    await visitor.feed_is("live")
    await visitor.chat_is("live")
    shop.post(f"orders/{visited.order}/shipments", {"carrier": "Post"})
    shop.say(visited.room, "After")

    await expect(visitor.badges).to_have_text(["shipped", "paid", "placed"])
    await expect(visitor.texts).to_have_text(["Before", "Meanwhile", "After"])
    await visited.has_caught_up(shop)
    assert visitor.complaints == []


async def test_message_that_cannot_be_sent_waits_in_its_field(shop: Shop, visited: Visited) -> None:
    visitor = visited.visitor
    field = visitor.page.get_by_label("Message", exact=True)

    shop.stop(signal.SIGKILL)
    await visitor.chat_is("reconnecting")
    await field.fill("Anybody there?")
    await field.press("Enter")
    await expect(visitor.page.locator("#chat-said")).to_contain_text("your message waits")
    shop.go_on()
    await visitor.chat_is("live")
    await field.press("Enter")

    await expect(visitor.texts).to_have_text(["Before", "Anybody there?"])
    await expect(field).to_have_value("")


async def test_feed_asks_for_a_new_ticket_when_its_own_is_refused(shop: Shop, visited: Visited) -> None:
    visitor = visited.visitor
    assert visitor.tickets.count("events") == 1

    shop.stop(signal.SIGKILL)
    shop.write_sql("DELETE FROM tickets")
    with shop.unseen():
        shop.post(f"orders/{visited.order}/payments")
    shop.go_on()

    await expect(visitor.badges).to_have_text(["paid", "placed"])
    await visited.has_caught_up(shop)
    assert visitor.tickets.count("events") == 2
    assert visitor.complaints == []


async def test_feed_begins_anew_and_says_so_when_what_it_missed_is_no_longer_kept(shop: Shop, visited: Visited) -> None:
    visitor = visited.visitor

    shop.stop(signal.SIGKILL)
    with shop.unseen():
        shop.post(f"orders/{visited.order}/payments")
        shop.say(visited.room, "Meanwhile")
    trimmed = "UPDATE event_log_state SET trimmed_to = (SELECT max(position) FROM events)"
    shop.write_sql(trimmed, "DELETE FROM events")
    shop.go_on()
    await expect(visitor.page.locator("#feed-said")).to_contain_text("no longer kept")
    await visitor.feed_is("live")
    shop.post(f"orders/{visited.order}/shipments", {"carrier": "Post"})

    await expect(visitor.badges).to_have_text(["shipped"])
    await expect(visitor.texts).to_have_text(["Before", "Meanwhile"])
    await visited.has_caught_up(shop)
    assert visitor.complaints == []
