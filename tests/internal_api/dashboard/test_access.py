"""Who may look at the dashboard, and what the cookie of its sign-in opens: these pages, and nothing else."""

from collections.abc import AsyncIterator
from http.cookies import Morsel, SimpleCookie
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import func, select

from commerce.accounts.models import SignInRow
from commerce.accounts.service import AccountService
from core.resources import Resources
from core.settings import DataSettings, Settings, with_embedded_secrets
from internal_api.dashboard.access import COOKIE
from tests.factories.people import a_user, signed_in, staff
from tests.fixtures.application import LogEntries, new_app
from tests.fixtures.asgi import Served, client_of, serve
from tests.internal_api.test_sign_in import PASSWORD, registered

PAGE, SIGN_IN, SIGN_OUT = ("/internal/dashboard", "/internal/dashboard/sign-in", "/internal/dashboard/sign-out")
BROWSER = {
    "Accept": "text/html,application/xhtml+xml",
    "Sec-Fetch-Site": "same-origin",
    "Origin": "http://portico.test",
}


async def sign_in(client: httpx2.AsyncClient, role: str, headers: dict[str, str] | None = None) -> httpx2.Response:
    form = {"username": f"{role}@example.com", "password": PASSWORD}
    return await client.post(SIGN_IN, data=form, headers=headers or BROWSER)


async def sign_ins(resources: Resources) -> int:
    async with resources.database.read() as session:
        return int(
            await session.scalar(select(func.count()).select_from(SignInRow).where(SignInRow.revoked_at.is_(None)))
        )


def cookie_of(response: httpx2.Response) -> Morsel[str]:
    (header,) = response.headers.get_list("set-cookie")
    return SimpleCookie(header)[COOKIE]


async def test_support_signs_in_looks_and_signs_out(client: httpx2.AsyncClient, resources: Resources) -> None:
    await registered(resources, "support")

    entered = await sign_in(client, "support")
    cookie = cookie_of(entered)
    page = await client.get(PAGE, headers=BROWSER)
    left = await client.post(SIGN_OUT, headers=BROWSER)
    again = await client.get(PAGE, headers={**BROWSER, "Cookie": f"{COOKIE}={cookie.value}"})

    assert (entered.status_code, entered.headers["location"]) == (303, PAGE)
    assert (cookie["path"], cookie["samesite"], cookie["httponly"], cookie["secure"]) == (PAGE, "strict", True, "")
    assert int(cookie["max-age"]) == 8 * 3600
    assert (page.status_code, page.headers["cache-control"]) == (200, "no-store")
    assert "<h1>Dashboard</h1>" in page.text
    assert "support@example.com (support)" in page.text
    assert (left.status_code, left.headers["location"], cookie_of(left)["max-age"]) == (303, PAGE, "0")
    assert again.status_code == 401
    assert await sign_ins(resources) == 0


async def test_token_of_the_door_opens_the_page_too(client: httpx2.AsyncClient, resources: Resources) -> None:
    response = await client.get(PAGE, headers=await staff(resources, "support"))

    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"


async def test_cookie_opens_nothing_else_in_whatever_header_it_comes(
    client: httpx2.AsyncClient, resources: Resources
) -> None:
    await registered(resources, "admin")
    token = cookie_of(await sign_in(client, "admin")).value
    client.cookies.clear()

    answers = {}
    for path in ("/internal/health", "/internal/users", "/internal/metrics", "/internal/jobs", PAGE):
        for kind, headers in {
            "cookie": {"Cookie": f"{COOKIE}={token}"},
            "bearer": {"Authorization": f"Bearer {token}"},
        }.items():
            answers[path, kind] = (await client.get(path, headers=headers)).status_code

    assert answers.pop((PAGE, "cookie")) == 200
    assert set(answers.values()) == {401}
    rest = await client.get("/public/v1/me", headers={"Authorization": f"Bearer {token}"})
    assert rest.status_code == 401


async def test_other_tokens_in_the_cookie_open_nothing(client: httpx2.AsyncClient, resources: Resources) -> None:
    admin = await a_user(resources, "admin")

    for audience in ("public", "graphql", "internal"):
        token = (await signed_in(resources, admin, audience))["Authorization"].removeprefix("Bearer ")
        response = await client.get(PAGE, headers={"Cookie": f"{COOKIE}={token}"})
        assert response.status_code == 401


async def test_customers_and_strangers_are_refused_in_the_same_words_and_get_no_cookie(
    client: httpx2.AsyncClient, resources: Resources
) -> None:
    await registered(resources, "customer")

    answers = [await sign_in(client, role, {**BROWSER, "X-Request-ID": "same"}) for role in ("customer", "nobody")]

    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1
    assert "Invalid credentials" in answers[0].text
    assert PASSWORD not in answers[0].text
    assert all("set-cookie" not in answer.headers for answer in answers)
    assert await sign_ins(resources) == 0


async def test_browser_that_is_not_signed_in_gets_the_form_and_others_an_error(client: httpx2.AsyncClient) -> None:
    page = await client.get(PAGE, headers=BROWSER)
    program = await client.get(PAGE)

    assert page.status_code == program.status_code == 401
    assert f'action="{SIGN_IN}"' in page.text
    assert 'role="alert"' not in page.text
    assert program.json()["error"]["code"] == "unauthenticated"


async def test_role_that_drops_ends_the_sight(client: httpx2.AsyncClient, resources: Resources) -> None:
    user_id = await registered(resources, "support")
    await sign_in(client, "support")

    async with resources.database.write() as session:
        await AccountService(session, resources.clock, actor="test").set_role(user_id, "customer")
    response = await client.get(PAGE, headers=BROWSER)

    assert response.status_code == 403
    assert "needs the role support" in response.text


@pytest.mark.parametrize(
    "changed",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://portico.test.evil.example"},
    ],
)
async def test_form_of_another_site_signs_nobody_in_or_out(
    client: httpx2.AsyncClient, resources: Resources, changed: dict[str, str]
) -> None:
    await registered(resources, "support")
    refused = await sign_in(client, "support", {**BROWSER, **changed})
    before = await sign_ins(resources)
    await sign_in(client, "support")

    left = await client.post(SIGN_OUT, headers={**BROWSER, **changed})
    page = await client.get(PAGE, headers=BROWSER)

    assert (refused.status_code, before, left.status_code, page.status_code) == (403, 0, 403, 200)
    assert "set-cookie" not in refused.headers
    assert await sign_ins(resources) == 1


async def test_pages_run_own_scripts_alone_and_are_framed_by_nobody(
    client: httpx2.AsyncClient, support: dict[str, str]
) -> None:
    pages = [
        await client.get(PAGE, headers=BROWSER),
        await client.get(PAGE, headers={**BROWSER, **support}),
        await client.get(f"{PAGE}/jobs/nothing", headers={**BROWSER, **support}),
    ]

    assert [page.status_code for page in pages] == [401, 200, 404]
    for page in pages:
        (policy,) = page.headers.get_list("content-security-policy")
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert page.headers["x-frame-options"] == "DENY"
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["x-robots-tag"] == "noindex"
        assert "<script>" not in page.text
        assert " style=" not in page.text
        assert page.headers["content-type"] == "text/html; charset=utf-8"


@pytest.fixture
async def in_production(served_in_production: Served) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(served_in_production) as client:
        await registered(served_in_production.state["resources"], "support")
        yield client


async def test_cookie_travels_encrypted_alone_in_production(in_production: httpx2.AsyncClient) -> None:
    assert cookie_of(await sign_in(in_production, "support"))["secure"] is True


async def test_behind_a_prefix_the_cookie_and_the_addresses_have_it(
    tmp_path: Path,
    sqlite_template: Path,
    log_entries: LogEntries,  # noqa: ARG001  no log on stderr
) -> None:
    settings = with_embedded_secrets(Settings(data=DataSettings(data_dir=tmp_path)))
    async with (
        serve(new_app(settings, sqlite_template)) as served,
        client_of(served, root_path="/shop") as client,
    ):
        await registered(served.state["resources"], "support")
        form = {"username": "support@example.com", "password": PASSWORD}
        response = await client.post(f"/shop{SIGN_IN}", data=form, headers=BROWSER)

    assert response.headers["location"] == f"/shop{PAGE}"
    assert cookie_of(response)["path"] == f"/shop{PAGE}"
