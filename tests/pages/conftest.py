"""A browser, the system's own, and a shop to visit with it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, async_playwright

from tests.conftest import needs
from tests.fixtures.processes import StartProcess, programs_in
from tests.pages.shop import Shop
from tests.pages.visiting import Visitor

Visit = Callable[..., Awaitable[Visitor]]


@pytest.fixture(scope="session")
def chromium() -> str:
    return needs("chromium")


@pytest.fixture(scope="module")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright, await playwright.chromium.launch(executable_path=chromium) as browser:
        yield browser


@pytest.fixture
async def visit(browser: Browser) -> AsyncIterator[Visit]:
    """`visit(shop, **options)`: somebody who has never been there, on a device with these options."""
    contexts = []

    async def visit(shop: Shop, **options: Any) -> Visitor:
        context = await browser.new_context(locale="en-GB", **options)
        contexts.append(context)
        return Visitor(await context.new_page(), shop.address)

    yield visit
    for context in contexts:
        await context.close()


@pytest.fixture(scope="module")
def open_shop(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:  # noqa: ARG001  or none is opened
    """One for all tests of a file, which do not stop it."""
    folder = tmp_path_factory.mktemp("shop")
    with programs_in(folder) as start:
        yield Shop(start, folder)


@pytest.fixture
def shop(chromium: str, start: StartProcess, tmp_path: Path) -> Shop:  # noqa: ARG001  or none is opened
    """One that may be stopped."""
    return Shop(start, tmp_path)
