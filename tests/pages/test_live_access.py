"""The live page for everybody: narrow screens, dark ones, screen readers, less motion; and what it forbids itself."""

import pytest
from playwright.async_api import expect

from tests.pages.accessibility import faults, width_of
from tests.pages.conftest import Visit
from tests.pages.shop import Shop

PHONE = {"width": 360, "height": 740}


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_page_is_accessible_and_fits_a_narrow_screen(open_shop: Shop, visit: Visit, scheme: str) -> None:
    visitor = await visit(open_shop, viewport=PHONE, color_scheme=scheme)
    page = visitor.page
    await visitor.open()
    await page.get_by_text("No account yet?").click()

    signed_out, before = await faults(page), await page.screenshot(full_page=True)
    await visitor.sign_in(open_shop.customer("Ada-" + "a" * 60))
    await visitor.order()
    await visitor.chat_is("live")
    await visitor.say("x" * 300)
    await expect(visitor.messages).to_have_count(1)
    await page.get_by_role("button", name="Send").focus()
    signed_in, after = await faults(page), await page.screenshot(full_page=True)

    assert signed_out == signed_in == []
    assert width_of(before) == width_of(after) == 360
    assert await page.evaluate("document.documentElement.scrollWidth") == 360
    assert visitor.complaints == visitor.network_complaints == []


@pytest.mark.parametrize(("wish", "animation"), [("reduce", "none"), ("no-preference", "appear")])
async def test_news_move_only_for_those_who_like_it(open_shop: Shop, visit: Visit, wish: str, animation: str) -> None:
    visitor = await visit(open_shop, reduced_motion=wish)
    await visitor.sign_in(open_shop.customer("Ada"))

    await visitor.order()

    await expect(visitor.orders).to_have_css("animation-name", animation)


async def test_states_and_news_are_announced(open_shop: Shop, visit: Visit) -> None:
    visitor = await visit(open_shop)
    await visitor.sign_in(open_shop.customer("Ada"))
    page = visitor.page

    for list_of in ("#feed", "#messages"):
        await expect(page.locator(list_of)).to_have_attribute("aria-live", "polite")
    for state in ("#feed-state", "#chat-state"):
        await expect(page.locator(state)).to_have_role("status")
    for name in ("Your orders and the catalogue", "Support chat"):
        await expect(page.get_by_role("region", name=name)).to_be_visible()
    await expect(page.get_by_role("main")).to_have_count(1)


async def test_page_makes_no_html_of_strings_and_asks_nobody_else(open_shop: Shop, visit: Visit) -> None:
    visitor = await visit(open_shop)
    page = visitor.page
    asked: list[str] = []  # http://host
    page.on("request", lambda request: asked.append("/".join(request.url.split("/")[:3])))
    await visitor.sign_in(open_shop.customer("Ada"))
    await visitor.chat_is("live")
    assert visitor.complaints == []

    before = set(asked)
    refused = await page.evaluate("(() => { try { document.body.innerHTML = 'x' } catch (e) { return e.name } })()")
    foreign = await page.evaluate("fetch('http://localhost:1/').catch((error) => error.name)")

    assert (refused, foreign) == ("TypeError", "TypeError")
    assert [each for each in visitor.complaints if "Content Security Policy" in each] != []
    assert before == {open_shop.address}
