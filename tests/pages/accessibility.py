"""What axe-core says of a page, and how wide it is."""

from typing import Any

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page


async def faults(page: Page) -> list[str]:
    """What axe-core finds once nothing moves any more, whose colours are on their way: rules, and where."""
    await page.evaluate("Promise.allSettled(document.getAnimations().map((each) => each.finished))")
    results = await Axe().run(page)
    found: list[dict[str, Any]] = results.response["violations"]
    return [f"{each['id']}: {[node['html'] for node in each['nodes']]}" for each in found]


def width_of(png: bytes) -> int:
    return int.from_bytes(png[16:20])
