"""Accounts over GraphQL: who asks, registering once, signing in, and which tokens open which door."""

import json
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from commerce.accounts.models import SignInRow, UserRow
from core.idempotency import IdempotencyRow
from core.resources import Resources
from tests.factories.people import PASSWORD, a_user, signed_in
from tests.fixtures.application import LogEntries, key_with
from tests.graphql_api.asking import Ask, as_graphql, error_of
from tests.graphql_api.ordering import count

ME = "{ me { id email name role createdAt } }"
REGISTER = """mutation($input: RegisterUserInput!, $key: String) {
  registerUser(input: $input, idempotencyKey: $key) {
    __typename
    ... on User { id email name role createdAt }
    ... on UserError { code message retryable errors { pointer code message } }
  }
}"""
SIGN_IN = """mutation($email: String!, $password: String!) {
  signIn(email: $email, password: $password) {
    __typename
    ... on SignedIn { accessToken expiresIn refreshToken user { id email } }
    ... on UserError { code message retryable errors { pointer } }
  }
}"""
ADA = {"email": "Ada@Example.com", "password": PASSWORD, "name": "Ada"}


async def register(client: httpx2.AsyncClient, body: dict[str, Any], key: str | None = None) -> httpx2.Response:
    """Over REST."""
    headers = {"Idempotency-Key": key} if key is not None else {}
    return await client.post("/public/v1/auth/register", json=body, headers=headers)


async def sign_in(ask: Ask, email: str = ADA["email"], password: str = PASSWORD) -> dict[str, Any]:
    found: dict[str, Any] = (await ask(SIGN_IN, {"email": email, "password": password}))["data"]["signIn"]
    return found


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_me_is_the_one_of_rest_or_nobody(ask: Ask, client: httpx2.AsyncClient, resources: Resources) -> None:
    editor = await signed_in(resources, await a_user(resources, "editor"))
    rest = (await client.get("/public/v1/me", headers=editor)).json()
    key = await client.post("/public/v1/api-keys", json={"name": "k", "scopes": ["orders:read"]}, headers=editor)

    person = await ask(ME, **editor)
    others = [await ask(ME, **who) for who in ({}, await key_with(resources), bearer(key.json()["secret"]))]

    assert person == {"data": {"me": as_graphql(rest)}}
    assert person["data"]["me"]["role"] == "editor"
    assert others == [{"data": {"me": None}}] * 3


async def test_registered_user_can_sign_in_at_both_doors(ask: Ask, client: httpx2.AsyncClient) -> None:
    body = await ask(REGISTER, {"input": ADA})
    form = {"username": "ada@example.com", "password": PASSWORD}
    token = (await client.post("/public/v1/auth/token", data=form)).json()["access_token"]

    user = body["data"]["registerUser"]
    assert user == as_graphql((await client.get("/public/v1/me", headers=bearer(token))).json()) | {
        "__typename": "User"
    }
    assert (user["email"], user["role"]) == ("ada@example.com", "customer")
    assert (await sign_in(ask))["user"] == {"id": user["id"], "email": "ada@example.com"}


@pytest.mark.parametrize("first", ["rest", "graphql"])
async def test_key_that_one_door_has_seen_gives_the_same_user_at_the_other(
    ask: Ask, client: httpx2.AsyncClient, resources: Resources, first: str
) -> None:
    if first == "rest":
        made = (await register(client, ADA, "k")).json()["id"]
        body = await ask(REGISTER, {"input": ADA, "key": "k"})
        again = body["data"]["registerUser"]["id"]
        assert body["extensions"] == {"idempotencyReplayed": ["registerUser"]}
    else:
        made = (await ask(REGISTER, {"input": ADA, "key": "k"}))["data"]["registerUser"]["id"]
        response = await register(client, ADA, "k")
        again = response.json()["id"]
        assert response.headers["idempotency-replayed"] == "true"

    assert again == made
    assert await count(resources.database, UserRow) == 1
    async with resources.database.read() as session:
        assert await session.scalar(select(IdempotencyRow.sealed)) is True


async def test_key_of_another_registration_is_refused_with_the_code_of_rest(
    ask: Ask, client: httpx2.AsyncClient, resources: Resources
) -> None:
    await register(client, ADA, "k")
    other = ADA | {"name": "Ada Lovelace"}

    rest = (await register(client, other, "k")).json()
    refusal = (await ask(REGISTER, {"input": other, "key": "k"}))["data"]["registerUser"]

    assert rest["code"] == refusal["code"] == "idempotency_key_reused"
    assert (refusal["__typename"], refusal["errors"][0]["pointer"]) == ("Refused", "/idempotencyKey")
    assert await count(resources.database, UserRow) == 1


async def test_two_people_may_use_the_same_key(ask: Ask, resources: Resources) -> None:
    bodies = [await ask(REGISTER, {"input": ADA | {"email": f"{name}@example.com"}, "key": "k"}) for name in "ab"]

    assert [body["data"]["registerUser"]["email"] for body in bodies] == ["a@example.com", "b@example.com"]
    assert await count(resources.database, UserRow) == 2


@pytest.mark.parametrize(
    ("changes", "code", "kind", "pointers"),
    [
        ({"email": "ADA@example.com"}, "email_taken", "EmailTaken", []),
        ({"email": "nobody"}, "invalid_account", "Refused", ["/input/email"]),
        ({"email": ""}, "invalid_account", "Refused", ["/input/email"]),
        ({"name": "  "}, "invalid_account", "Refused", ["/input/name"]),
    ],
)
async def test_registering_is_refused_with_the_code_of_rest(
    ask: Ask,
    client: httpx2.AsyncClient,
    resources: Resources,
    changes: dict[str, str],
    code: str,
    kind: str,
    pointers: list[str],
) -> None:
    await register(client, ADA)

    rest = (await register(client, ADA | changes, "rest")).json()
    refusal = (await ask(REGISTER, {"input": ADA | changes, "key": "graphql"}))["data"]["registerUser"]

    assert rest["code"] == refusal["code"] == code
    assert rest["detail"] == refusal["message"]
    assert (refusal["__typename"], [fault["pointer"] for fault in refusal["errors"]]) == (kind, pointers)
    assert await count(resources.database, UserRow) == 1


async def test_all_faults_of_a_registration_are_told_at_once(ask: Ask, resources: Resources) -> None:
    body = await ask(REGISTER, {"input": {"email": "nobody", "password": "short", "name": "x" * 201}, "key": "k"})

    refusal = body["data"]["registerUser"]
    assert [fault["pointer"] for fault in refusal["errors"]] == ["/input/email", "/input/password", "/input/name"]
    assert "short" not in json.dumps(refusal)
    assert [await count(resources.database, table) for table in (UserRow, IdempotencyRow)] == [0, 0]


@pytest.mark.parametrize("key", ["", "a b", "k" * 256])
async def test_registering_under_a_key_of_the_wrong_form_is_refused(
    ask: Ask, client: httpx2.AsyncClient, resources: Resources, key: str
) -> None:
    rest = (await register(client, ADA, key)).json()
    refusal = (await ask(REGISTER, {"input": ADA, "key": key}))["data"]["registerUser"]

    assert rest["code"] == refusal["code"] == "invalid_idempotency_key"
    assert await count(resources.database, UserRow) == 0


async def test_token_of_graphql_opens_graphql_alone(ask: Ask, client: httpx2.AsyncClient) -> None:
    await register(client, ADA)
    tokens = await sign_in(ask)

    here = await ask(ME, **bearer(tokens["accessToken"]))
    there = await client.get("/public/v1/me", headers=bearer(tokens["accessToken"]))

    assert (tokens["__typename"], tokens["expiresIn"]) == ("SignedIn", 900)
    assert here["data"]["me"]["email"] == "ada@example.com"
    assert (there.status_code, there.json()["code"]) == (401, "unauthenticated")


async def test_refreshed_token_opens_graphql_alone_too(ask: Ask, client: httpx2.AsyncClient) -> None:
    await register(client, ADA)
    tokens = await sign_in(ask)

    refreshed = await client.post("/public/v1/auth/refresh", json={"refresh_token": tokens["refreshToken"]})
    headers = bearer(refreshed.json()["access_token"])

    assert (await ask(ME, **headers))["data"]["me"]["email"] == "ada@example.com"
    assert (await client.get("/public/v1/me", headers=headers)).status_code == 401


@pytest.mark.parametrize(("audience", "opens"), [("public", True), ("graphql", True), ("internal", False)])
async def test_door_takes_tokens_of_its_own_and_public_ones(
    client: httpx2.AsyncClient, resources: Resources, audience: Any, opens: bool
) -> None:
    headers = await signed_in(resources, await a_user(resources, "admin"), audience)

    response = await client.post("/graphql", json={"query": ME}, headers=headers)

    assert response.status_code == (200 if opens else 401)
    if not opens:
        assert error_of(response.json())["extensions"]["code"] == "unauthenticated"


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("ada@example.com", "wrong horse battery"),
        ("nobody@example.com", PASSWORD),
        ("no address", PASSWORD),
        ("", ""),
    ],
)
async def test_wrong_credentials_are_typed_and_all_alike(
    ask: Ask, client: httpx2.AsyncClient, resources: Resources, email: str, password: str
) -> None:
    await register(client, ADA)

    rest = await client.post("/public/v1/auth/token", data={"username": email or "-", "password": password or "-"})
    refusal = await sign_in(ask, email, password)

    assert refusal == {
        "__typename": "InvalidCredentials",
        "code": rest.json()["code"],
        "message": rest.json()["detail"],
        "retryable": False,
        "errors": [],
    }
    assert refusal["code"] == "invalid_credentials"
    assert await count(resources.database, SignInRow) == 0


async def test_guessing_is_slowed_down_and_counted_with_the_tries_of_rest(ask: Ask, client: httpx2.AsyncClient) -> None:
    await register(client, ADA)
    for attempt in range(5):
        await sign_in(ask, password=f"guess number {attempt}")
        form = {"username": ADA["email"], "password": f"guess letter {attempt}"}
        await client.post("/public/v1/auth/token", data=form)

    body = await ask(SIGN_IN, {"email": ADA["email"], "password": PASSWORD})
    extensions = error_of(body)["extensions"]

    assert body["data"] == {"signIn": None}
    assert (extensions["code"], extensions["retryable"]) == ("quota_exceeded", True)
    assert 0 < extensions["retry_after_seconds"] <= 15 * 60


@pytest.mark.parametrize("text", ["\0", "\ud800"])
@pytest.mark.parametrize("name", ["email", "password", "name", "key"])
async def test_text_that_no_database_stores_is_refused(
    client: httpx2.AsyncClient, resources: Resources, log_entries: LogEntries, text: str, name: str
) -> None:
    variables = {"input": ADA | ({name: text * 9} if name != "key" else {}), "key": text if name == "key" else "k"}
    content = json.dumps({"query": REGISTER, "variables": variables})

    response = await client.post("/graphql", content=content, headers={"Content-Type": "application/json"})

    assert response.status_code == 200
    assert error_of(response.json())["extensions"]["code"] == "invalid_request"
    assert "data" not in response.json()
    assert log_entries.application == []
    assert await count(resources.database, UserRow) == 0


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        (REGISTER, {}),
        (REGISTER, {"input": None}),
        (REGISTER, {"input": []}),
        (REGISTER, {"input": {"email": "a@example.com"}}),
        (REGISTER, {"input": ADA | {"role": "admin"}}),
        (REGISTER, {"input": ADA | {"name": None}}),
        (REGISTER, {"input": ADA | {"name": {"first": "Ada"}}}),
        (REGISTER, {"input": ADA, "key": ["k"]}),
        (REGISTER.replace("$input,", f'{{password: "{PASSWORD}", role: "admin"}},'), {"input": ADA}),
        (SIGN_IN, {"email": ["a@example.com"], "password": PASSWORD}),
        (SIGN_IN, {"email": "a@example.com"}),
    ],
)
async def test_variable_of_the_wrong_shape_is_refused_before_anything_runs(
    ask: Ask, resources: Resources, log_entries: LogEntries, query: str, variables: dict[str, Any]
) -> None:
    body = await ask(query, variables)

    assert {error["extensions"]["code"] for error in body["errors"]} == {"invalid_request"}
    assert "data" not in body
    assert PASSWORD not in json.dumps(body)
    assert log_entries.application == []
    assert await count(resources.database, UserRow) == 0
