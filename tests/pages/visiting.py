"""The live page as people use it in a browser."""

import re
from typing import Any

from playwright.async_api import ConsoleMessage, Locator, Page, Request, expect

from tests.pages.shop import Account

# What the browser itself writes to the console when nobody answers, or says no.
_NETWORK = re.compile(r"Failed to load resource|WebSocket connection to .* failed")
expect.set_options(timeout=40_000)  # longer than a page waits before it comes back, also on a machine that is busy


class Visitor:
    """One tab."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self._address = address
        self._complaints: list[str] = []
        self.tickets: list[str] = []  # what they were asked for
        self.streams = 0  # how often the feed's was asked for
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self._complaints.append(str(error)))
        page.on("request", self._see)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._complaints.append(message.text)

    def _see(self, request: Request) -> None:
        if request.url.endswith("/tickets"):
            body: Any = request.post_data_json
            self.tickets.append(body["for"])
        self.streams += "/events/stream?" in request.url

    @property
    def complaints(self) -> list[str]:
        """Errors of scripts, violations of the content security policy, and warnings; not that the network is away."""
        return [each for each in self._complaints if not _NETWORK.search(each)]

    @property
    def network_complaints(self) -> list[str]:
        return [each for each in self._complaints if _NETWORK.search(each)]

    async def open(self) -> None:
        await self.page.goto(f"{self._address}/static/live.html")

    async def sign_in(self, account: Account) -> None:
        """Until what is shown is live."""
        await self.open()
        form = self.page.locator("#sign-in")
        await form.get_by_label("Email").fill(account.email)
        await form.get_by_label("Password").fill(account.password)
        await form.get_by_role("button", name="Sign in").click()
        await self.feed_is("live")

    async def feed_is(self, state: str) -> None:
        await expect(self.page.locator("#feed-state")).to_have_attribute("data-state", state)

    async def chat_is(self, state: str) -> None:
        await expect(self.page.locator("#chat-state")).to_have_attribute("data-state", state)

    async def order(self) -> None:
        await self.page.get_by_role("button", name="Place a demo order").click()
        await expect(self.page.get_by_text(re.compile(r"Order \d+ is placed"))).to_be_visible()

    @property
    def entries(self) -> Locator:
        """Of the feed, the newest first."""
        return self.page.locator("#feed li")

    @property
    def orders(self) -> Locator:
        return self.page.locator("#feed li[data-kind=order]")

    @property
    def badges(self) -> Locator:
        """Of orders in the feed."""
        return self.orders.locator(".badge")

    @property
    def messages(self) -> Locator:
        return self.page.locator("#messages li")

    @property
    def texts(self) -> Locator:
        return self.messages.locator(".text")

    @property
    def people(self) -> Locator:
        return self.page.locator("#people li")

    async def room(self) -> str:
        return await self.page.get_by_label("Room").input_value()

    async def join(self, room: str) -> None:
        await self.page.get_by_label("Room").fill(room)
        await self.page.get_by_role("button", name="Join").click()
        await self.chat_is("live")

    async def say(self, text: str, to: str = "everybody") -> None:
        """Until it has arrived."""
        await self.page.get_by_role("combobox", name="To", exact=True).select_option(label=to)
        field = self.page.get_by_label("Message", exact=True)
        await field.fill(text)
        await self.page.get_by_role("button", name="Send").click()
        await expect(field).to_have_value("")

    async def cursors(self, entries: Locator) -> list[str]:
        found: list[str] = await entries.evaluate_all("all => all.map((each) => each.dataset.cursor)")
        return found
