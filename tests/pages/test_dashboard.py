"""The dashboard as operators use it in a browser: wide and narrow, with scripts and without."""

import re
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from PIL import Image
from playwright.async_api import Page, expect

from tests.pages.conftest import Visit
from tests.pages.shop import Shop
from tests.pages.visiting import Visitor

WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


async def enter(visitor: Visitor, shop: Shop) -> Page:
    page = visitor.page
    await page.goto(f"{shop.address}/internal/dashboard")
    await page.get_by_label("Email").fill(shop.admin.email)
    await page.get_by_label("Password").fill(shop.admin.password)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()
    await expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    return page


async def places(page: Page) -> Any:
    """Where the headings of the panels are."""
    return await page.locator("h2").evaluate_all("all => all.map(each => [each.offsetLeft, each.offsetTop])")


async def test_figures_change_while_one_looks_and_nothing_moves(open_shop: Shop, visit: Visit) -> None:
    visitor = await visit(open_shop, viewport=WIDE)
    strangers = []
    visitor.page.on(
        "request", lambda asked: strangers.append(asked.url) if not asked.url.startswith(open_shop.address) else None
    )

    page = await enter(visitor, open_shop)
    await expect(page.locator("#connection")).to_have_text("Live: ready.")
    row = page.locator('[data-part="requests"] tr').filter(has=page.get_by_role("rowheader", name="public"))
    await expect(row).to_contain_text(re.compile(r"no data|0\.0"))
    before = await places(page)
    for number in range(5):
        open_shop.get(f"products?size={number + 1}")
    await expect(row.locator("td").first).to_have_text(re.compile(r"[1-9]"))
    drawn = await page.locator('canvas[data-chart="rate"]').evaluate(
        "it => it.getContext('2d').getImageData(0, 0, it.width, it.height).data.some(each => each > 0)"
    )

    assert await places(page) == before
    assert drawn
    assert strangers == []
    assert visitor.complaints == []
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    assert await page.context.cookies() == []


@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_page_fits_and_is_accessible(
    open_shop: Shop, visit: Visit, tmp_path: Any, viewport: dict[str, int], scheme: str
) -> None:
    visitor = await visit(open_shop, viewport=viewport, color_scheme=scheme, reduced_motion="reduce")
    page = await enter(visitor, open_shop)
    await expect(page.locator("#connection")).to_have_text("Live: ready.")

    await page.screenshot(path=tmp_path / "page.png")
    found = await Axe().run(page)
    colours = Image.open(tmp_path / "page.png").convert("RGB").getcolors(1 << 24)

    assert await page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    assert {each["id"]: [node["target"] for node in each["nodes"]] for each in found.response["violations"]} == {}
    assert colours is not None
    assert len(colours) > 50
    assert visitor.complaints == []


async def test_page_is_a_snapshot_without_scripts(open_shop: Shop, visit: Visit) -> None:
    visitor = await visit(open_shop, viewport=NARROW, java_script_enabled=False)

    page = await enter(visitor, open_shop)

    await expect(page.locator(".tiles dd").first).to_have_text("ready")
    await expect(page.get_by_text("Reload for newer figures.")).to_be_visible()
    await expect(page.locator(".charts")).to_be_hidden()
    await expect(page.get_by_role("table", name="Rate, errors and time by audience")).to_be_visible()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("button", name="Sign in")).to_be_visible()


async def test_wrong_password_is_said_in_words(open_shop: Shop, visit: Visit) -> None:
    visitor = await visit(open_shop)
    page = visitor.page

    await page.goto(f"{open_shop.address}/internal/dashboard")
    await page.get_by_label("Email").fill(open_shop.admin.email)
    await page.get_by_label("Password").fill("not this one")
    await page.get_by_role("button", name="Sign in").click()

    await expect(page.get_by_role("alert")).to_have_text("Invalid credentials")
    assert await page.context.cookies() == []
    assert visitor.complaints == []
