"""The assistant's page: cards as the shop has them, and an answer that goes on where the page was loaded again."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, expect

from tests.factories.model_servers import ModelServer, a_model_server, finish, text, usage
from tests.fixtures.processes import StartProcess
from tests.pages.accessibility import faults, width_of
from tests.pages.conftest import Visit
from tests.pages.shop import Shop
from tests.pages.visiting import Visitor

QUESTION = "a warm jacket under 80 dollars for hiking"
PHONE = {"width": 360, "height": 740}


@dataclass(frozen=True)
class Asker:
    visitor: Visitor
    shop: Shop

    @property
    def page(self) -> Page:
        return self.visitor.page

    async def open(self) -> None:
        await self.page.goto(f"{self.shop.address}/static/assistant.html")

    async def ask(self, question: str = QUESTION) -> None:
        field = self.page.get_by_label("Question", exact=True)
        await field.fill(question)
        await field.press("Enter")

    @property
    def answers(self) -> Locator:
        return self.page.locator("#talk .answer")

    @property
    def cards(self) -> Locator:
        return self.page.locator("#talk .product")

    @property
    def ends(self) -> Locator:
        return self.page.locator("#talk .quiet")


@pytest.fixture
async def model() -> AsyncIterator[ModelServer]:
    async with a_model_server() as server:
        yield server


@pytest.fixture
async def waiting(
    chromium: str,  # noqa: ARG001  or no shop is opened
    start: StartProcess,
    tmp_path: Path,
    visit: Visit,
    model: ModelServer,
) -> Asker:
    """Where a model answers that says no more than the test wants."""
    shop = await asyncio.to_thread(Shop, start, tmp_path, PORTICO_LLM_BASE_URL=model.url)
    asker = Asker(await visit(shop), shop)
    await asker.open()
    return asker


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_cards_are_what_the_shop_has_and_the_page_is_for_everybody(
    open_shop: Shop, visit: Visit, scheme: str
) -> None:
    asker = Asker(await visit(open_shop, viewport=PHONE, color_scheme=scheme), open_shop)
    page = asker.page
    await page.goto(open_shop.address)
    await page.get_by_role("link", name="Assistant").click()
    before = await faults(page)

    await asker.ask()
    await expect(asker.ends).to_have_text(["Answered by builtin."])

    for card in await asker.cards.all():
        product = open_shop.get(f"products/{await card.get_attribute('data-product')}")
        cheapest = min(variant["price"]["amount"] for variant in product["variants"] if variant["available"])
        assert cheapest <= 8000
        await expect(card).to_have_text(f"{product['title']}US${cheapest / 100:.2f} in stock")
    assert await asker.cards.count() == 3
    assert before == await faults(page) == []
    assert width_of(await page.screenshot(full_page=True)) == 360
    assert asker.visitor.complaints == asker.visitor.network_complaints == []


async def test_click_on_a_card_is_told_with_its_answer(open_shop: Shop, visit: Visit) -> None:
    asker = Asker(await visit(open_shop), open_shop)
    await asker.open()
    await asker.ask()
    await expect(asker.ends).to_have_count(1)
    card = asker.cards.first

    async with asker.page.expect_response("**/feedback") as told:
        await card.get_by_role("link").click()
    response = await told.value

    assert response.status == 201
    given = await response.json()
    assert (given["kind"], given["model"]) == ("clicked", "builtin")
    assert given["product_id"] == await card.get_attribute("data-product")


async def test_answer_goes_on_where_it_was_when_the_page_is_loaded_again(waiting: Asker, model: ModelServer) -> None:
    gates = [asyncio.Event() for _ in range(2)]
    words = ("One. ", "Two. ", "Three. ")
    model.script = [
        model.streaming(text(words[0]), gates[0], text(words[1]), gates[1], text(words[2]), finish(), usage(3, 3)),
        model.streaming(text("Four."), finish(), usage(1, 1)),
    ]
    await waiting.ask("count")
    await expect(waiting.answers).to_have_text(["One."])
    seen = await waiting.page.locator("#talk li").get_attribute("data-last")

    async with waiting.page.expect_request("**/assistant/runs/*/events") as coming_back:
        await waiting.page.reload()
    asked = await coming_back.value
    await expect(waiting.answers).to_have_text(["One."])
    gates[0].set()
    await expect(waiting.answers).to_have_text(["One. Two."])
    gates[1].set()
    await expect(waiting.ends).to_have_count(1)
    await waiting.page.reload()  # when all is said there is nothing more to ask for
    await expect(waiting.answers).to_have_text(["One. Two. Three."])
    await waiting.ask("and on")
    await expect(waiting.answers).to_have_text(["One. Two. Three.", "Four."])

    assert (await asked.all_headers())["last-event-id"] == seen
    said = [(each["role"], each["content"]) for each in model.asked[1][1]["messages"] if each["role"] != "system"]
    assert [each for each in said if each[0] == "assistant"] == [("assistant", "One. Two. Three. ")]
    assert waiting.visitor.complaints == waiting.visitor.network_complaints == []


async def test_answer_is_stopped_and_another_conversation_begun(waiting: Asker, model: ModelServer) -> None:
    model.script = [model.streaming(text("So far. "), text("so good "), then="hold")]
    await waiting.ask("on and on")
    await expect(waiting.answers).to_contain_text("So far.")

    await waiting.page.get_by_role("button", name="Stop").click()
    async with asyncio.timeout(20):
        await model.left.wait()
    await expect(waiting.ends.first).to_have_text("Stopped.")
    await waiting.page.get_by_role("button", name="Begin anew").click()

    await expect(waiting.page.locator("#talk li")).to_have_count(0)
    assert json.loads(await waiting.page.evaluate("JSON.stringify(sessionStorage)")) == {}


async def test_question_that_is_refused_is_said_and_stays_in_its_field(open_shop: Shop, visit: Visit) -> None:
    asker = Asker(await visit(open_shop), open_shop)
    await asker.open()
    await asker.page.route(
        "**/assistant/chat",
        lambda route: route.fulfill(status=503, json={"title": "Busy", "detail": "come back later"}),
    )

    await asker.ask("anybody there?")

    await expect(asker.page.get_by_role("alert")).to_have_text("Come back later")
    await expect(asker.page.get_by_label("Question", exact=True)).to_have_value("anybody there?")
    await expect(asker.page.locator("#talk li")).to_have_count(0)
