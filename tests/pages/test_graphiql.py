"""GraphiQL as people use it in a browser that reaches nothing but our server."""

import pytest
from playwright.async_api import Page, Route, expect

from tests.pages.conftest import Visit
from tests.pages.shop import Shop
from tests.pages.visiting import Visitor

ROOM = "order-1001"


class Ide:
    """One tab."""

    def __init__(self, visitor: Visitor, shop: Shop) -> None:
        self.visitor = visitor
        self.page: Page = visitor.page
        self._origin = f"{shop.address}/"
        self.strangers: list[str] = []  # addresses elsewhere that the page asked for

    async def open(self) -> None:
        await self.page.context.route("**/*", self._pass_ours)
        await self.page.goto(f"{self._origin}graphql")
        await expect(self.page.locator(".graphiql-container")).to_be_visible()

    async def _pass_ours(self, route: Route) -> None:
        if route.request.url.startswith(self._origin):
            await route.continue_()
        else:
            self.strangers.append(route.request.url)
            await route.abort()

    async def write(self, text: str, area: str = "graphiql-query-editor") -> None:
        await self.page.locator(f".{area} .CodeMirror:visible").click()
        await self.page.keyboard.press("Control+A")
        await self.page.keyboard.insert_text(text)

    async def authorize(self, token: str) -> None:
        await self.page.get_by_role("button", name="Headers").click()
        await self.write(f'{{"Authorization": "Bearer {token}"}}', "graphiql-editor-tool")

    async def run(self, operation: str, name: str) -> None:
        """Once the page has read the operation: it then calls its tab by the operation's name."""
        await self.write(operation)
        await expect(self.page.get_by_role("tab", name=name)).to_be_visible()
        await self.page.get_by_role("button", name="Execute query").click()

    async def shows(self, text: str) -> None:
        await expect(self.page.locator(".result-window")).to_contain_text(text)


@pytest.fixture
async def ide(open_shop: Shop, visit: Visit) -> Ide:
    ide = Ide(await visit(open_shop), open_shop)
    await ide.open()
    return ide


async def test_ide_runs_its_first_query_and_shows_the_documentation(ide: Ide) -> None:
    await ide.page.get_by_role("button", name="Execute query").click()
    await ide.shows('"sku": "CMP-BOTHY"')
    await ide.page.get_by_role("button", name="Show Documentation Explorer").click()
    docs = ide.page.locator(".graphiql-plugin")
    await docs.get_by_role("link", name="Query", exact=True).click()
    await expect(docs).to_contain_text("Products, page by page.")

    assert (ide.strangers, ide.visitor.complaints) == ([], [])


async def test_ide_sends_the_authorization_of_its_headers_editor_also_for_a_subscription(
    ide: Ide, open_shop: Shop
) -> None:
    ada = open_shop.customer("Ada")
    token = open_shop.sign_in(ada)
    open_shop.post(f"support/rooms/{ROOM}/messages", {"text": "Where is it?"}, token)

    await ide.page.get_by_role("button", name="Add tab").click()  # of a single one it shows no name
    await ide.run("query Nobody { me { email } }", "Nobody")
    await ide.shows('"me": null')
    await ide.authorize(token)
    await ide.run("query Somebody { me { email } }", "Somebody")
    await ide.shows(f'"email": "{ada.email}"')
    await ide.run(
        f'subscription Talk {{ supportMessages(room: "{ROOM}", after: "evt_0000000000001") {{ text }} }}', "Talk"
    )
    await ide.shows('"text": "Where is it?"')
    open_shop.post(f"support/rooms/{ROOM}/messages", {"text": "Found it."}, token)
    await ide.shows('"text": "Found it."')

    assert (ide.strangers, ide.visitor.complaints) == ([], [])
