"""The live page: signing in, orders as they happen, and people who talk to each other."""

from typing import Any

import pytest
from playwright.async_api import Locator, Page, Route, expect

from tests.pages.conftest import Visit
from tests.pages.shop import PASSWORD, Shop
from tests.pages.visiting import Visitor


async def tab_to(page: Page, target: Locator) -> None:
    """By the keyboard alone, and so that people see where they are."""
    for _ in range(30):
        await page.keyboard.press("Tab")
        if await target.evaluate("it => it === document.activeElement"):
            assert await target.evaluate("it => getComputedStyle(it).outlineStyle") != "none"
            return
    pytest.fail(f"{target} is not reached by the Tab key")


async def test_keyboard_alone_signs_in_orders_chats_and_signs_out(open_shop: Shop, visit: Visit) -> None:
    ada = open_shop.customer("Ada")
    visitor = await visit(open_shop)
    page, keys = visitor.page, visitor.page.keyboard

    await page.goto(open_shop.address)
    await tab_to(page, page.get_by_role("link", name="Live"))
    await keys.press("Enter")
    await tab_to(page, page.locator("#sign-in").get_by_label("Email"))
    await keys.type(ada.email)
    await tab_to(page, page.locator("#sign-in").get_by_label("Password"))
    await keys.type(ada.password)
    await keys.press("Enter")
    await visitor.feed_is("live")
    await tab_to(page, page.get_by_role("button", name="Place a demo order"))
    await keys.press("Enter")
    await expect(visitor.badges).to_have_text(["placed"])
    await visitor.chat_is("live")
    await tab_to(page, page.get_by_label("Message", exact=True))
    await keys.type("Where is it?")
    await keys.press("Enter")
    await expect(visitor.texts).to_have_text(["Where is it?"])
    await tab_to(page, page.get_by_role("button", name="Sign out"))
    await keys.press("Enter")

    await expect(page.locator("#sign-in")).to_be_visible()
    await expect(page.locator("#columns")).to_be_hidden()
    assert await page.evaluate("sessionStorage.length") == 0
    assert await visitor.entries.count() == await visitor.messages.count() == 0
    assert visitor.complaints == visitor.network_complaints == []


async def test_wrong_password_and_taken_address_are_said_in_words(open_shop: Shop, visit: Visit) -> None:
    ada = open_shop.customer("Ada")
    visitor = await visit(open_shop)
    page = visitor.page
    alert = page.get_by_role("alert")

    await visitor.open()
    await page.locator("#sign-in").get_by_label("Email").fill(ada.email)
    await page.locator("#sign-in").get_by_label("Password").fill("not this one")
    await page.get_by_role("button", name="Sign in").click()
    await expect(alert).to_have_text("Invalid credentials")
    await page.get_by_text("No account yet?").click()
    form = page.locator("#register")
    await form.get_by_label("Name").fill("Ada")
    await form.get_by_label("Email").fill(ada.email)
    await form.get_by_label("Password").fill(PASSWORD)
    await form.get_by_role("button").click()
    await expect(alert).to_have_text("There is an account with this address")

    assert await page.locator("#columns").is_hidden()
    assert visitor.complaints == []


async def test_who_registers_is_signed_in_and_stays_so_when_the_page_is_loaded_again(
    open_shop: Shop, visit: Visit
) -> None:
    visitor = await visit(open_shop)
    await visitor.open()

    await visitor.page.get_by_text("No account yet?").click()
    form = visitor.page.locator("#register")
    await form.get_by_label("Name").fill("Grace")
    await form.get_by_label("Email").fill("grace.h@example.com")
    await form.get_by_label("Password").fill(PASSWORD)
    await form.get_by_role("button").click()
    await visitor.feed_is("live")
    await visitor.chat_is("live")
    await visitor.say("Still there?")
    await visitor.page.reload()
    await visitor.feed_is("live")

    await expect(visitor.page.locator("#me")).to_have_text("Grace")
    await expect(visitor.texts).to_have_text(["Still there?"])
    assert visitor.complaints == visitor.network_complaints == []


async def test_order_is_followed_by_its_customer_and_staff_and_nobody_else(open_shop: Shop, visit: Visit) -> None:
    ada, bob = open_shop.customer("Ada"), open_shop.customer("Bob")
    customer, other, staff = await visit(open_shop), await visit(open_shop), await visit(open_shop)
    await customer.sign_in(ada)
    await other.sign_in(bob)
    await staff.sign_in(open_shop.admin)

    await customer.order()
    (order,) = open_shop.get("orders", open_shop.sign_in(ada))["items"]
    open_shop.post(f"orders/{order['id']}/payments")
    open_shop.post(f"orders/{order['id']}/shipments", {"carrier": "Post"})
    await other.order()

    await expect(customer.badges).to_have_text(["shipped", "paid", "placed"])
    await expect(other.badges).to_have_text(["placed"])
    total = f"US${order['total']['amount'] / 100:.2f}"
    await expect(customer.orders.first).to_contain_text(f"Order {order['number']} {total}")
    await expect(staff.page.locator("#feed-title")).to_have_text("All orders and the catalogue")
    await expect(staff.page.get_by_text(f"Order {order['number']} {total}")).to_have_count(3)
    assert await customer.cursors(customer.entries) == open_shop.events(open_shop.sign_in(ada))[::-1]
    assert customer.complaints == other.complaints == staff.complaints == []


async def test_feed_shows_orders_alone_where_that_is_chosen(open_shop: Shop, visit: Visit) -> None:
    visitor = await visit(open_shop)
    await visitor.sign_in(open_shop.customer("Ada"))
    await visitor.order()

    await visitor.page.get_by_label("Show").select_option("order")

    await expect(visitor.entries.filter(visible=True)).to_have_count(1)
    assert await visitor.entries.count() > 1


RESET_EVENT = {"content_type": "text/event-stream", "body": "event: reset\nid: evt_0000000000001\ndata: {}\n\n"}
RESET_PROBLEM = {"status": 410, "json": {"code": "reset", "title": "Cursor too old"}}


@pytest.mark.parametrize(
    ("asked", "answer"), [("**/events/stream?*", RESET_EVENT), ("**/v1/events?*", RESET_PROBLEM)], ids=["stream", "log"]
)
async def test_feed_begins_anew_where_the_stream_or_the_log_says_so(
    open_shop: Shop, visit: Visit, asked: str, answer: dict[str, Any]
) -> None:
    visitor = await visit(open_shop)
    await visitor.page.route(asked, lambda route: route.fulfill(**answer), times=1)

    await visitor.sign_in(open_shop.customer("Ada"))
    await expect(visitor.page.locator("#feed-said")).to_contain_text("no longer kept")
    await visitor.order()

    await expect(visitor.badges).to_have_text(["placed"])
    assert visitor.streams == 2
    assert visitor.complaints == []


async def test_order_whose_answer_was_lost_is_placed_once(open_shop: Shop, visit: Visit) -> None:
    ada = open_shop.customer("Ada")
    visitor = await visit(open_shop)
    await visitor.sign_in(ada)
    button = visitor.page.get_by_role("button", name="Place a demo order")

    async def lose(route: Route) -> None:
        await route.fetch()
        await route.abort()

    await visitor.page.route("**/v1/orders", lose, times=1)
    await button.click()
    await expect(visitor.page.get_by_role("alert")).to_have_text("The server cannot be reached at the moment.")
    await visitor.order()

    assert open_shop.get("orders", open_shop.sign_in(ada))["total"] == 1
    await expect(visitor.badges).to_have_text(["placed"])
    await expect(visitor.page.get_by_role("alert")).to_have_count(0)


async def test_people_talk_and_what_is_for_one_is_seen_by_no_other(open_shop: Shop, visit: Visit) -> None:
    ada, grace = open_shop.customer("Ada"), open_shop.staff("Grace")
    customer, admin, third = await visit(open_shop), await visit(open_shop), await visit(open_shop)
    await customer.sign_in(ada)
    await customer.chat_is("live")
    room = await customer.room()
    hostile = "Hello <img src=x onerror='document.title=1'> all"

    for visitor, account in ((admin, open_shop.admin), (third, grace)):
        await visitor.sign_in(account)
        await visitor.join(room)
    await expect(customer.people).to_have_text(["Ada (you)", "Admin staff", "Grace staff"])
    await customer.say(hostile)
    await expect(admin.texts).to_have_text([hostile])
    await admin.say("For you alone", to="Ada")
    await admin.say("For all")

    await expect(third.texts).to_have_text([hostile, "For all"])
    await expect(customer.texts).to_have_text([hostile, "For you alone", "For all"])
    await expect(admin.texts).to_have_text([hostile, "For you alone", "For all"])
    await expect(customer.messages.nth(1)).to_contain_text("Admin staff to you alone")
    await expect(admin.messages.nth(1)).to_contain_text("You staff to Ada alone")
    await third.page.close()
    await expect(customer.people).to_have_text(["Ada (you)", "Admin staff"])
    assert customer.complaints == admin.complaints == third.complaints == []


async def test_personal_message_to_somebody_who_leaves_goes_to_nobody_else(open_shop: Shop, visit: Visit) -> None:
    customer, admin = await visit(open_shop), await visit(open_shop)
    await customer.sign_in(open_shop.customer("Ada"))
    await customer.chat_is("live")
    await admin.sign_in(open_shop.admin)
    await admin.join(await customer.room())
    chosen = admin.page.get_by_role("combobox", name="To", exact=True)

    await chosen.select_option(label="Ada")
    await customer.page.close()
    await expect(admin.people).to_have_text(["Admin (you) staff"])
    await admin.say("Come back", to="Ada (has left)")

    await expect(admin.messages).to_contain_text(["You staff to Ada alone"])


async def test_room_of_another_customer_is_refused_in_words(open_shop: Shop, visit: Visit) -> None:
    customer, other = await visit(open_shop), await visit(open_shop)
    await customer.sign_in(open_shop.customer("Ada"))
    await customer.chat_is("live")
    await other.sign_in(open_shop.customer("Bob"))
    await other.chat_is("live")

    await other.page.get_by_label("Room").fill(await customer.room())
    await other.page.get_by_role("button", name="Join").click()

    await other.chat_is("refused")
    await expect(other.page.locator("#chat-said")).to_contain_text("No room")
    await expect(customer.people).to_have_text(["Ada (you)"])


async def test_expired_token_is_renewed_and_an_ended_sign_in_is_said(open_shop: Shop, visit: Visit) -> None:
    visitor = await visit(open_shop)
    await visitor.sign_in(open_shop.admin)  # in no room yet, whose socket would be told too
    before = await tokens(visitor)

    await visitor.page.evaluate(
        "before => sessionStorage.setItem('portico-live', JSON.stringify({...before, access_token: 'expired'}))", before
    )
    await visitor.page.reload()
    await visitor.feed_is("live")
    await visitor.order()
    renewed, streams = await tokens(visitor), visitor.streams
    open_shop.post("auth/logout", token=renewed["access_token"])

    await expect(visitor.page.get_by_role("alert")).to_have_text("Your sign-in has ended. Please sign in again.")
    await expect(visitor.page.locator("#sign-in")).to_be_visible()
    assert renewed["refresh_token"] != before["refresh_token"]
    assert visitor.streams == streams  # it was told, and did not knock again
    assert visitor.complaints == []


async def tokens(visitor: Visitor) -> dict[str, Any]:
    kept: dict[str, Any] = await visitor.page.evaluate("JSON.parse(sessionStorage.getItem('portico-live'))")
    return kept
