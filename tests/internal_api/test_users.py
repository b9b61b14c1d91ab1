"""Users as staff see them; what admins change counts at once, and is in the audit log."""

from typing import Any

import httpx2
import pytest

from commerce.accounts.api_keys import ApiKeyService
from commerce.accounts.commands import CreateKey
from commerce.accounts.entities import User
from commerce.accounts.principal import SCOPES_OF, Principal
from commerce.accounts.repository import AccountRepository
from commerce.audit.log import AuditEntry, AuditRepository
from core.resources import Resources
from tests.factories.people import PASSWORD, a_user, signed_in
from tests.fixtures.probes import read_error

USERS = "/internal/users"


@pytest.fixture
async def admin(resources: Resources) -> User:
    return await a_user(resources, "admin", "boss@example.com")


@pytest.fixture
async def client(client: httpx2.AsyncClient, resources: Resources, admin: User) -> httpx2.AsyncClient:
    client.headers.update(await signed_in(resources, admin, "internal"))
    client.headers["X-Request-ID"] = "staff-1"
    return client


async def user_now(resources: Resources, user_id: str) -> User | None:
    async with resources.database.read() as session:
        return await AccountRepository(session).user(user_id)


async def audited(resources: Resources, subject: str) -> list[AuditEntry]:
    """What was changed over /internal, oldest first."""
    async with resources.database.read() as session:
        entries, _ = await AuditRepository(session).newest(subject=subject)
    return [entry for entry in reversed(entries) if entry.actor != "test"]


async def key_of(resources: Resources, user: User) -> dict[str, str]:
    owner = Principal("user", user.id, SCOPES_OF[user.role], user.id, user.role, user.email)
    async with resources.database.write() as session:
        keys = ApiKeyService(session, resources.clock, actor="test")
        key = await keys.create(CreateKey("mine", ("orders:read",)), owner=owner)
    return {"Authorization": f"Bearer {key.secret}"}


async def test_user_shows_all_but_the_password(
    client: httpx2.AsyncClient, resources: Resources, support: dict[str, str]
) -> None:
    user = await a_user(resources, "customer", "ann@example.com")

    response = await client.get(f"{USERS}/{user.id}", headers=support)

    shown = response.json()
    assert {name: shown[name] for name in ("id", "email", "name", "role", "disabled", "disabled_at", "deleted_at")} == {
        "id": user.id,
        "email": "ann@example.com",
        "name": "Customer",
        "role": "customer",
        "disabled": False,
        "disabled_at": None,
        "deleted_at": None,
    }
    assert shown.keys() - {"created_at", "updated_at"} == {
        *("id", "email", "name", "role", "disabled", "disabled_at", "deleted_at")
    }
    assert PASSWORD not in response.text  # the hash of these accounts is the password


async def test_list_is_paged_from_the_newest_and_shows_no_hash(
    client: httpx2.AsyncClient, resources: Resources, admin: User
) -> None:
    made = [admin.id, *[(await a_user(resources)).id for _ in range(4)]]

    first = (await client.get(USERS, params={"limit": 2})).json()
    second = (await client.get(USERS, params={"limit": 2, "after": first["next"]})).json()
    last = await client.get(USERS, params={"limit": 2, "after": second["next"]})

    pages = [first, second, last.json()]
    assert [user["id"] for page in pages for user in page["items"]] == made[::-1]
    assert [page["next"] is None for page in pages] == [False, False, True]
    assert all(PASSWORD not in str(page) for page in pages)


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"role": "customer"}, ["carl@example.org", "ann@example.com"]),
        ({"q": "EXAMPLE.ORG"}, ["carl@example.org"]),
        ({"q": "a_n"}, []),
        ({"q": "%"}, []),
        ({"disabled": "true"}, ["carl@example.org"]),
        ({"disabled": "false", "role": "customer"}, ["ann@example.com"]),
        ({"role": "admin", "q": "boss"}, ["boss@example.com"]),
        ({"role": "editor"}, []),
    ],
)
async def test_list_is_narrowed(
    client: httpx2.AsyncClient, resources: Resources, filters: dict[str, str], found: list[str]
) -> None:
    await a_user(resources, "customer", "ann@example.com")
    carl = await a_user(resources, "customer", "carl@example.org")
    await client.patch(f"{USERS}/{carl.id}", json={"disabled": True})

    page = (await client.get(USERS, params=filters)).json()

    assert [user["email"] for user in page["items"]] == found


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=101", "role=king", "disabled=maybe", "q=%00", "after=nonsense", "page=2"],
)
async def test_list_that_cannot_be_is_refused(client: httpx2.AsyncClient, query: str) -> None:
    response = await client.get(f"{USERS}?{query}")

    assert response.status_code == 422
    assert read_error("internal", response).code in ("invalid_request", "invalid_cursor")


async def test_role_is_changed_and_audited(client: httpx2.AsyncClient, resources: Resources, admin: User) -> None:
    user = await a_user(resources)

    response = await client.patch(f"{USERS}/{user.id}", json={"role": "editor"})

    assert (response.status_code, response.json()["role"]) == (200, "editor")
    (entry,) = await audited(resources, user.id)
    assert (entry.actor, entry.request_id, entry.action) == (f"user:{admin.id}", "staff-1", "user.role")
    assert (entry.before, entry.after) == ({"role": "customer"}, {"role": "editor"})


async def test_disabled_user_is_out_at_once_with_every_token_and_key(
    client: httpx2.AsyncClient, resources: Resources, admin: User
) -> None:
    user = await a_user(resources, "support")
    token = await signed_in(resources, user)
    internal = await signed_in(resources, user, "internal")
    key = await key_of(resources, user)
    doors = [("/public/v1/products", token), ("/public/v1/products", key), ("/internal/health", internal)]
    before = [(await client.get(path, headers=headers)).status_code for path, headers in doors]

    response = await client.patch(f"{USERS}/{user.id}", json={"disabled": True})
    after = [(await client.get(path, headers=headers)).status_code for path, headers in doors]

    assert (before, after) == ([200, 200, 200], [401, 401, 401])
    assert response.json()["disabled"] is True
    (entry,) = await audited(resources, user.id)
    assert (entry.actor, entry.request_id, entry.action) == (f"user:{admin.id}", "staff-1", "user.disable")
    assert (entry.before, entry.after) == ({"disabled": False}, {"disabled": True})


async def test_enabled_user_has_their_keys_again(client: httpx2.AsyncClient, resources: Resources) -> None:
    user = await a_user(resources)
    key, token = await key_of(resources, user), await signed_in(resources, user)
    await client.patch(f"{USERS}/{user.id}", json={"disabled": True})

    response = await client.patch(f"{USERS}/{user.id}", json={"disabled": False})

    assert (response.json()["disabled"], response.json()["disabled_at"]) == (False, None)
    assert (await client.get("/public/v1/products", headers=key)).status_code == 200
    assert (await client.get("/public/v1/products", headers=token)).status_code == 401
    assert [entry.action for entry in await audited(resources, user.id)] == ["user.disable", "user.enable"]


async def test_role_and_disabled_change_together_or_not_at_all(
    client: httpx2.AsyncClient, resources: Resources, admin: User
) -> None:
    user = await a_user(resources)

    both = await client.patch(f"{USERS}/{user.id}", json={"role": "support", "disabled": True})
    refused = await client.patch(f"{USERS}/{admin.id}", json={"role": "admin", "disabled": True})

    assert (both.json()["role"], both.json()["disabled"]) == ("support", True)
    assert [entry.action for entry in await audited(resources, user.id)] == ["user.role", "user.disable"]
    assert refused.status_code == 409
    assert await user_now(resources, admin.id) == admin


async def test_deleted_user_is_forgotten(client: httpx2.AsyncClient, resources: Resources, admin: User) -> None:
    user = await a_user(resources, "customer", "ann@example.com")
    token, key = await signed_in(resources, user), await key_of(resources, user)

    response = await client.delete(f"{USERS}/{user.id}")

    assert (response.status_code, response.content) == (204, b"")
    shown = (await client.get(f"{USERS}/{user.id}")).json()
    assert shown["deleted_at"] is not None
    assert "ann@example.com" not in str(shown)
    assert [(await client.get("/public/v1/products", headers=headers)).status_code for headers in (token, key)] == [
        401,
        401,
    ]
    (entry,) = await audited(resources, user.id)
    assert (entry.actor, entry.request_id, entry.action) == (f"user:{admin.id}", "staff-1", "user.delete")
    assert (entry.before, entry.after) == ({"role": "customer"}, None)
    assert (await client.delete(f"{USERS}/{user.id}")).status_code == 404


@pytest.mark.parametrize(
    ("method", "body"), [("PATCH", {"role": "editor"}), ("PATCH", {"disabled": True}), ("DELETE", None)]
)
async def test_last_admin_stays(
    client: httpx2.AsyncClient, resources: Resources, admin: User, method: str, body: dict[str, Any] | None
) -> None:
    response = await client.request(method, f"{USERS}/{admin.id}", json=body)

    assert response.status_code == 409
    assert read_error("internal", response).code == "last_admin"
    assert await user_now(resources, admin.id) == admin
    assert await audited(resources, admin.id) == []


@pytest.mark.parametrize(
    ("method", "body"), [("PATCH", {"role": "admin"}), ("PATCH", {"disabled": True}), ("DELETE", None)]
)
async def test_below_admin_nobody_changes_users(
    client: httpx2.AsyncClient,
    resources: Resources,
    editor: dict[str, str],
    support: dict[str, str],
    method: str,
    body: dict[str, Any] | None,
) -> None:
    user = await a_user(resources)

    answers = [await client.request(method, f"{USERS}/{user.id}", json=body, headers=who) for who in (editor, support)]

    assert [(answer.status_code, read_error("internal", answer).code) for answer in answers] == [
        (403, "missing_role")
    ] * 2
    assert await user_now(resources, user.id) == user
    assert await audited(resources, user.id) == []


@pytest.mark.parametrize(
    "body",
    [{"role": "king"}, {"disabled": "yes"}, {"disabled": 1}, {"email": "a@b.example"}, {"password_hash": "x"}, []],
)
async def test_change_that_cannot_be_is_refused(client: httpx2.AsyncClient, resources: Resources, body: Any) -> None:
    user = await a_user(resources)

    response = await client.patch(f"{USERS}/{user.id}", json=body)

    assert response.status_code == 422
    assert await user_now(resources, user.id) == user


async def test_change_of_nothing_answers_the_user_and_is_not_audited(
    client: httpx2.AsyncClient, resources: Resources
) -> None:
    user = await a_user(resources)

    same = await client.patch(f"{USERS}/{user.id}", json={"role": "customer", "disabled": False})
    nothing = await client.patch(f"{USERS}/{user.id}", json={})

    assert same.json() == nothing.json() == (await client.get(f"{USERS}/{user.id}")).json()
    assert await audited(resources, user.id) == []


@pytest.mark.parametrize("user_id", ["usr_nobody", "%ed%a0%80"])
async def test_unknown_user_is_not_found(client: httpx2.AsyncClient, user_id: str) -> None:
    answers = [
        await client.get(f"{USERS}/{user_id}"),
        await client.patch(f"{USERS}/{user_id}", json={"role": "admin"}),
        await client.patch(f"{USERS}/{user_id}", json={}),
        await client.delete(f"{USERS}/{user_id}"),
    ]

    assert [(answer.status_code, read_error("internal", answer).code) for answer in answers] == [
        (404, "user_not_found")
    ] * 4
