"""Staff sign in at their own door; everybody else is refused there, all in the same words."""

import httpx2
import jwt
import pytest
from sqlalchemy import func, select

from commerce.accounts.commands import RegisterUser
from commerce.accounts.models import SignInRow
from commerce.accounts.passwords import PASSWORDS
from commerce.accounts.principal import Role
from commerce.accounts.service import AccountService
from commerce.limits.zones import SIGN_IN_ACCOUNT
from core.resources import Resources
from tests.factories.people import a_user, signed_in, staff
from tests.fixtures.application import LogEntries, key_with
from tests.fixtures.probes import read_error

PASSWORD = "a password that nobody else has"
TOKEN = "/internal/auth/token"


async def registered(resources: Resources, role: Role) -> str:
    """The id of somebody with PASSWORD, at <role>@example.com."""
    command = RegisterUser(f"{role}@example.com", PASSWORD, role)
    password_hash = await PASSWORDS.hash(PASSWORD)
    async with resources.database.write() as session:
        accounts = AccountService(session, resources.clock, actor="test")
        return (await accounts.register(command, role, password_hash=password_hash)).id


async def sign_in(
    client: httpx2.AsyncClient, username: str, password: str = PASSWORD, request_id: str = "same"
) -> httpx2.Response:
    form = {"username": username, "password": password}
    return await client.post(TOKEN, data=form, headers={"X-Request-ID": request_id})


async def sign_ins(resources: Resources) -> int:
    async with resources.database.read() as session:
        return int(await session.scalar(select(func.count()).select_from(SignInRow)))


@pytest.mark.parametrize("role", ["support", "editor", "admin"])
async def test_staff_get_a_token_that_opens_the_door_for_8_hours(
    client: httpx2.AsyncClient, resources: Resources, role: Role
) -> None:
    user_id = await registered(resources, role)

    response = await sign_in(client, f"{role.upper()}@Example.com")

    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    token = response.json()
    assert token.keys() == {"access_token", "token_type", "expires_in"}
    assert (token["token_type"], token["expires_in"]) == ("bearer", 8 * 3600)
    claims = jwt.decode(token["access_token"], options={"verify_signature": False})
    assert (claims["sub"], claims["aud"], claims["exp"] - claims["iat"]) == (user_id, "internal", 8 * 3600)
    opened = await client.get("/internal/health", headers={"Authorization": f"Bearer {token['access_token']}"})
    assert opened.status_code == 200


async def test_everybody_else_is_refused_in_the_same_words(client: httpx2.AsyncClient, resources: Resources) -> None:
    await registered(resources, "customer")
    await registered(resources, "admin")
    support = await registered(resources, "support")
    async with resources.database.write() as session:
        await AccountService(session, resources.clock, actor="test").disable(support)

    answers = [
        await sign_in(client, "customer@example.com"),
        await sign_in(client, "support@example.com"),
        await sign_in(client, "admin@example.com", "wrong"),
        await sign_in(client, "nobody@example.com"),
        await sign_in(client, "no address"),
    ]

    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1
    assert read_error("internal", answers[0]).code == "invalid_credentials"
    assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}
    assert await sign_ins(resources) == 0


async def test_guessing_is_throttled_by_the_account(client: httpx2.AsyncClient, resources: Resources) -> None:
    await registered(resources, "admin")
    for _ in range(SIGN_IN_ACCOUNT.amount):
        assert (await sign_in(client, "admin@example.com", "wrong")).status_code == 401

    response = await sign_in(client, "admin@example.com")

    assert response.status_code == 429
    assert read_error("internal", response).code == "quota_exceeded"
    assert 0 < int(response.headers["retry-after"]) <= SIGN_IN_ACCOUNT.seconds
    assert response.headers["ratelimit-policy"] == '"sign-in:account";q=10;w=900'
    assert await sign_ins(resources) == 0


@pytest.mark.parametrize(
    "form",
    [
        {"password": "hunter2-hunter2"},
        {"username": "hunter2-hunter2"},
        {"username": "a@example.com", "password": "hunter2-hunter2", "grant_type": "hunter2-hunter2"},
    ],
)
async def test_faulty_form_is_refused_without_repeating_it(
    client: httpx2.AsyncClient, log_entries: LogEntries, form: dict[str, str]
) -> None:
    response = await client.post(TOKEN, data=form)

    assert response.status_code == 422
    assert read_error("internal", response).code == "invalid_request"
    assert response.json()["error"]["exception"].startswith("RequestValidationError: /")
    assert "hunter2" not in response.text
    assert "hunter2" not in str(log_entries)


@pytest.mark.parametrize("audience", ["public", "graphql"])
async def test_token_of_another_door_does_not_open_this_one(
    client: httpx2.AsyncClient, resources: Resources, audience: str
) -> None:
    admin = await a_user(resources, "admin")
    foreign = await signed_in(resources, admin, audience)  # type: ignore[arg-type]

    for path in ("/internal/health", "/internal/metrics", "/internal/users"):
        response = await client.get(path, headers=foreign)
        assert response.status_code == 401
        assert read_error("internal", response).code == "unauthenticated"


async def test_token_of_this_door_opens_no_other(client: httpx2.AsyncClient, resources: Resources) -> None:
    headers = await staff(resources, "admin")

    rest = await client.get("/public/v1/products", headers=headers)
    graphql = await client.post("/graphql", json={"query": "{ categories { name } }"}, headers=headers)

    assert (rest.status_code, read_error("v1", rest).code) == (401, "unauthenticated")
    assert (graphql.status_code, read_error("graphql", graphql).code) == (401, "unauthenticated")


async def test_token_of_graphql_does_not_open_the_public_door(client: httpx2.AsyncClient, resources: Resources) -> None:
    headers = await signed_in(resources, await a_user(resources, "admin"), "graphql")

    rest = await client.get("/public/v1/products", headers=headers)
    graphql = await client.post("/graphql", json={"query": "{ categories { name } }"}, headers=headers)

    assert (rest.status_code, read_error("v1", rest).code) == (401, "unauthenticated")
    assert graphql.json()["data"] == {"categories": []}


async def test_key_with_every_scope_does_not_open_this_door(client: httpx2.AsyncClient, resources: Resources) -> None:
    key = await key_with(resources, "catalog:write", "orders:read", "support:write", "reports:read")

    response = await client.get("/internal/health", headers=key)

    assert response.status_code == 401


async def test_metrics_token_opens_the_metrics_alone(
    client: httpx2.AsyncClient, metrics_reader: dict[str, str], support: dict[str, str]
) -> None:
    by_token = await client.get("/internal/metrics", headers=metrics_reader)
    by_staff = await client.get("/internal/metrics", headers=support)
    elsewhere = [
        (await client.get(path, headers=metrics_reader)).status_code
        for path in ("/internal/health", "/internal/topology", "/internal/config", "/internal/users", "/internal/audit")
    ]

    assert (by_token.status_code, by_staff.status_code) == (200, 200)
    assert "portico_http_request_duration_seconds" in by_token.text
    assert elsewhere == [401] * 5


async def test_role_that_drops_counts_at_once(client: httpx2.AsyncClient, resources: Resources) -> None:
    admin = await a_user(resources, "admin")
    await a_user(resources, "admin")
    headers = await signed_in(resources, admin, "internal")
    body = {"title": "Sale", "starts_at": "2026-01-01T00:00:00Z", "ends_at": "2026-02-01T00:00:00Z", "percent_off": 5}

    answers = []
    for role in ("admin", "editor", "support", "customer"):
        async with resources.database.write() as session:
            await AccountService(session, resources.clock, actor="test").set_role(admin.id, role)
        read = await client.get("/internal/health", headers=headers)
        edit = await client.post("/internal/promotions", json=body, headers=headers)
        change = await client.patch(f"/internal/users/{admin.id}", json={}, headers=headers)
        answers.append((read.status_code, edit.status_code, change.status_code))

    assert answers == [(200, 201, 200), (200, 201, 403), (200, 403, 403), (403, 403, 403)]


async def test_too_low_a_role_is_told_which_it_takes(client: httpx2.AsyncClient, editor: dict[str, str]) -> None:
    response = await client.delete("/internal/users/usr_any", headers=editor)

    assert response.status_code == 403
    assert read_error("internal", response).code == "missing_role"
    assert "admin" in response.json()["error"]["message"]
    assert "an admin can change roles" in response.json()["error"]["hint"]
