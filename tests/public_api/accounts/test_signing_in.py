import asyncio
from datetime import datetime

import httpx2
import jwt
import pytest

from commerce.accounts.service import AccountService
from commerce.limits.zones import SIGN_IN_ADDRESS
from core.resources import Resources
from core.settings import Settings
from tests.factories.people import a_user, signed_in, staff
from tests.fixtures.application import LogEntries, key_with
from tests.fixtures.asgi import Served, client_of
from tests.fixtures.probes import read_error
from tests.public_api.accounts.people import PASSWORD, V1, ask_token, bearing, register, sign_in, written


async def refresh(client: httpx2.AsyncClient, token: str) -> httpx2.Response:
    return await client.post(f"{V1}/auth/refresh", json={"refresh_token": token})


async def me(client: httpx2.AsyncClient, token: str) -> int:
    return (await client.get(f"{V1}/me", headers=bearing(token))).status_code


async def test_who_registered_signs_in_with_the_password_form(client: httpx2.AsyncClient) -> None:
    registered = (await register(client)).json()

    response = await ask_token(client, "Ada@example.com", grant_type="password", scope="", client_id="x")

    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    token = response.json()
    assert token.keys() == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert (token["token_type"], token["expires_in"]) == ("bearer", 900)
    claims = jwt.decode(token["access_token"], options={"verify_signature": False})
    assert (claims["iss"], claims["sub"], claims["aud"]) == ("portico", registered["id"], "public")
    assert claims["exp"] - claims["iat"] == 900
    assert claims.keys() == {"iss", "sub", "sid", "aud", "iat", "exp", "jti"}
    answer = await client.get(f"{V1}/me", headers=bearing(token["access_token"]))
    shown = answer.json()
    assert shown.keys() == {*registered, "created_at"}
    assert {name: shown[name] for name in registered} == registered
    assert datetime.fromisoformat(shown["created_at"]).tzinfo is not None


async def test_every_refusal_is_the_same(client: httpx2.AsyncClient, resources: Resources) -> None:
    await register(client)
    off = (await register(client, email="off@example.com")).json()["id"]
    async with resources.database.write() as session:
        await AccountService(session, resources.clock, actor="test").disable(off)

    refused = [
        await ask_token(client, password="wrong"),
        await ask_token(client, "nobody@example.com"),
        await ask_token(client, "nobody"),
        await ask_token(client, "off@example.com"),
        await ask_token(client, "a\0@example.com", "\0"),
    ]

    seen = set()
    for response in refused:
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"] == 'Bearer realm="portico"'
        seen.add(str({**response.json(), "request_id": ""}))
        assert read_error("v1", response).code == "invalid_credentials"
    assert len(seen) == 1


@pytest.mark.parametrize("form", [{}, {"username": "ada@example.com"}, {"grant_type": "refresh_token"}])
async def test_form_that_is_not_the_password_form_is_refused(client: httpx2.AsyncClient, form: dict[str, str]) -> None:
    response = await client.post(f"{V1}/auth/token", data=form)

    assert response.status_code == 422
    read_error("v1", response)


async def test_account_is_throttled_known_or_not(client: httpx2.AsyncClient) -> None:
    await register(client)
    answers = {}
    for email in ("ada@example.com", "nobody@example.com"):
        answers[email] = [await ask_token(client, email, "wrong") for _ in range(10)]
        answers[email].append(await ask_token(client, email))

    for responses in answers.values():
        assert [response.status_code for response in responses] == [401] * 10 + [429]
        assert read_error("v1", responses[-1]).code == "quota_exceeded"
        assert 890 <= int(responses[-1].headers["Retry-After"]) <= 900
        assert responses[-1].headers["RateLimit-Policy"] == '"sign-in:account";q=10;w=900'
        assert responses[-1].headers["RateLimit"] == f'"sign-in:account";r=0;t={responses[-1].headers["Retry-After"]}'


async def test_address_is_throttled_by_its_failures(
    client: httpx2.AsyncClient, served: Served, resources: Resources
) -> None:
    await register(client)
    for _ in range(49):
        await resources.limiter.hit(SIGN_IN_ADDRESS, "127.0.0.1")

    last = await ask_token(client, "nobody@example.com")
    over = await ask_token(client)

    assert (last.status_code, over.status_code) == (401, 429)
    async with client_of(served, client=("192.0.2.7", 1)) as other:
        assert (await ask_token(other)).status_code == 200


async def test_refresh_tokens_rotate_and_a_used_one_ends_the_sign_in(client: httpx2.AsyncClient) -> None:
    first = await sign_in(client)
    second = await refresh(client, first["refresh_token"])
    opened = [await me(client, first["access_token"]), await me(client, second.json()["access_token"])]

    reused = await refresh(client, first["refresh_token"])

    assert second.status_code == 200
    assert second.headers["Cache-Control"] == "no-store"
    assert second.json().keys() == first.keys()
    assert opened == [200, 200]
    assert reused.status_code == 401
    assert read_error("v1", reused).code == "invalid_refresh_token"
    assert [await me(client, each["access_token"]) for each in (first, second.json())] == [401, 401]
    assert (await refresh(client, second.json()["refresh_token"])).status_code == 401


async def test_of_eight_who_refresh_at_once_one_gets_tokens(client: httpx2.AsyncClient) -> None:
    token = (await sign_in(client))["refresh_token"]

    responses = await asyncio.gather(*(refresh(client, token) for _ in range(8)))

    assert sorted(response.status_code for response in responses) == [200] + [401] * 7


@pytest.mark.parametrize(
    "body", [{}, {"refresh_token": 1}, {"refresh_token": "x" * 201}, {"refresh_token": "x", "a": 1}]
)
async def test_refreshing_needs_a_token(client: httpx2.AsyncClient, body: dict[str, object]) -> None:
    response = await client.post(f"{V1}/auth/refresh", json=body)

    assert response.status_code == 422


async def test_signing_out_ends_the_sign_in_at_once(client: httpx2.AsyncClient) -> None:
    tokens = await sign_in(client)
    other = (await ask_token(client)).json()

    response = await client.post(f"{V1}/auth/logout", headers=bearing(tokens["access_token"]))

    assert (response.status_code, response.content) == (204, b"")
    assert await me(client, tokens["access_token"]) == 401
    assert (await refresh(client, tokens["refresh_token"])).status_code == 401
    assert await me(client, other["access_token"]) == 200


@pytest.mark.parametrize(("method", "path"), [("GET", "/me"), ("POST", "/auth/logout"), ("GET", "/api-keys")])
async def test_only_a_person_who_has_signed_in_gets_in(
    client: httpx2.AsyncClient, resources: Resources, method: str, path: str
) -> None:
    key = await key_with(resources, "orders:read")

    anonymous = await client.request(method, f"{V1}{path}")
    with_key = await client.request(method, f"{V1}{path}", headers=key)

    assert (anonymous.status_code, read_error("v1", anonymous).code) == (401, "unauthenticated")
    assert (with_key.status_code, read_error("v1", with_key).code) == (403, "user_required")


async def test_tokens_of_one_door_fail_on_the_others(client: httpx2.AsyncClient, resources: Resources) -> None:
    public = bearing((await sign_in(client))["access_token"])
    internal = await staff(resources)
    graphql = await signed_in(resources, await a_user(resources), "graphql")

    async def status(headers: dict[str, str]) -> list[int]:
        query = {"query": "{ categories { name } }"}
        return [
            (await client.get(f"{V1}/products", headers=headers)).status_code,
            (await client.post("/graphql", json=query, headers=headers)).status_code,
            (await client.get("/internal/health", headers=headers)).status_code,
        ]

    assert await status(public) == [200, 200, 401]
    assert await status(graphql) == [401, 200, 401]
    assert await status(internal) == [401, 401, 200]


async def test_editor_signs_in_and_writes_the_catalogue_until_the_role_drops(
    client: httpx2.AsyncClient, resources: Resources
) -> None:
    editor = await a_user(resources, "editor")
    headers = await signed_in(resources, editor)
    product = {"title": "Thing", "variants": [{"price": {"amount": 100}}]}

    before = await client.post(f"{V1}/products", json=product, headers=headers)
    async with resources.database.write() as session:
        await AccountService(session, resources.clock, actor="test").set_role(editor.id, "support")
    after = await client.post(f"{V1}/products", json=product, headers=headers)

    assert (before.status_code, after.status_code) == (201, 403)
    assert read_error("v1", after).code == "missing_scope"


async def test_tokens_are_written_nowhere(
    client: httpx2.AsyncClient, settings: Settings, log_entries: LogEntries
) -> None:
    tokens = await sign_in(client)
    newer = (await refresh(client, tokens["refresh_token"])).json()

    stored, said = written(settings), repr(log_entries)
    for each in (tokens, newer):
        for secret in (each["access_token"], each["refresh_token"], PASSWORD):
            assert secret.encode() not in stored
            assert secret not in said
