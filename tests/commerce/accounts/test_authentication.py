"""From a token to a principal: which door takes which, and what counts at once."""

import asyncio
import json
from base64 import urlsafe_b64encode
from typing import Any

import jwt
import pytest
from sqlalchemy import select, update

from commerce.accounts.api_keys import ApiKeyService, NewKey
from commerce.accounts.authentication import Door, principal_for
from commerce.accounts.commands import CreateKey, RotateKey
from commerce.accounts.entities import User
from commerce.accounts.errors import ApiKeyExpired, ApiKeyNotFound, InvalidApiKey, ScopeNotAllowed, TokenExpired
from commerce.accounts.models import ApiKeyRow, UserRow
from commerce.accounts.principal import ANONYMOUS, SCOPES, SCOPES_OF, Principal, Role
from commerce.accounts.repository import AccountRepository
from commerce.accounts.service import AccountService
from commerce.accounts.tokens import Audience
from commerce.audit.log import AuditRepository
from core.errors import Unauthenticated
from core.resources import Resources, assemble
from tests.factories.clocks import NOON, FakeClock
from tests.factories.people import a_user, signed_in
from tests.factories.statements import recorded

DOORS: tuple[Door, ...] = ("public", "graphql", "internal")


async def token_of(resources: Resources, user: User, audience: Audience = "public") -> str:
    return (await signed_in(resources, user, audience))["Authorization"].removeprefix("Bearer ")


async def change(resources: Resources, method: str, *arguments: Any) -> None:
    async with resources.database.write() as session:
        await getattr(AccountService(session, resources.clock, actor="test"), method)(*arguments)


async def key_of(
    resources: Resources, owner: User, *scopes: str, role: Role | None = None, days: int | None = None
) -> NewKey:
    async with resources.database.write() as session:
        service = ApiKeyService(session, resources.clock, actor=f"user:{owner.id}")
        return await service.create(CreateKey("sync", scopes, days), owner=acting(owner, role))


def acting(owner: User, role: Role | None = None) -> Principal:
    return Principal("user", owner.id, user_id=owner.id, role=role or owner.role)


async def rotate(resources: Resources, key: NewKey, owner: User, overlap_seconds: int) -> NewKey:
    async with resources.database.write() as session:
        service = ApiKeyService(session, resources.clock, actor="test")
        return await service.rotate(RotateKey(key.key.id, overlap_seconds), owner=acting(owner))


async def opens(resources: Resources, token: str, door: Door = "public") -> bool:
    try:
        return (await principal_for(token, resources, door)).kind != "anonymous"
    except Unauthenticated:
        return False


async def test_no_token_is_anonymous_everywhere(resources: Resources) -> None:
    assert [await principal_for(None, resources, door) for door in DOORS] == [ANONYMOUS] * 3


@pytest.mark.parametrize(
    ("audience", "doors"), [("public", ["public", "graphql"]), ("graphql", ["graphql"]), ("internal", ["internal"])]
)
async def test_token_opens_the_doors_of_its_audience_alone(
    resources: Resources, audience: Audience, doors: list[Door]
) -> None:
    token = await token_of(resources, await a_user(resources, "admin"), audience)

    assert [door for door in DOORS if await opens(resources, token, door)] == doors
    for door in set(DOORS) - set(doors):
        with pytest.raises(Unauthenticated) as refused:
            await principal_for(token, resources, door)
        assert (refused.value.code, refused.value.detail) == (
            "unauthenticated",
            "the access token is for another door",
        )


async def test_key_opens_public_and_graphql(resources: Resources) -> None:
    key = await key_of(resources, await a_user(resources, "admin"), "orders:read")

    assert [door for door in DOORS if await opens(resources, key.secret, door)] == ["public", "graphql"]


async def test_token_costs_one_statement_and_no_writer(resources: Resources) -> None:
    token = await token_of(resources, await a_user(resources))

    with recorded(resources.database.reader) as reads, recorded(resources.database.writer) as writes:
        await principal_for(token, resources, "public")

    assert (len([read for read in reads if read.startswith("SELECT") and "users" in read]), writes) == (1, [])


async def test_token_ends_after_fifteen_minutes(resources: Resources, clock: FakeClock) -> None:
    token = await token_of(resources, await a_user(resources))

    clock.advance(minutes=15, seconds=-1)
    assert await opens(resources, token)
    clock.advance(seconds=1)
    with pytest.raises(TokenExpired) as refused:
        await principal_for(token, resources, "public")

    assert refused.value.code == "token_expired"


def _part(data: dict[str, Any]) -> str:
    return urlsafe_b64encode(json.dumps(data).encode()).decode().rstrip("=")


async def test_forged_token_is_refused(resources: Resources) -> None:
    user = await a_user(resources, "admin")
    token = await token_of(resources, user)
    head, body, signature = token.split(".")
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    key = resources.keyring.derive("access-tokens")
    other = resources.keyring.derive("another purpose")
    without = [{name: value for name, value in claims.items() if name != missing} for missing in claims]
    forged = [
        f"{_part({'alg': 'none', 'typ': 'JWT'})}.{body}.",
        f"{_part({'alg': 'none', 'typ': 'JWT'})}.{body}.{signature}",
        f"{head}.{_part({**claims, 'sub': 'usr_boss'})}.{signature}",
        f"{head}.{body}.{signature[:-2]}AA",
        f"{head}.{body}.",
        f"{head}.{body}",
        jwt.encode(claims, key * 2, "HS512"),
        jwt.encode(claims, other, "HS256"),
        jwt.encode({**claims, "iss": "another"}, key, "HS256"),
        *(jwt.encode(each, key, "HS256") for each in without),
        *("", "x", "a.b.c", "é.é.é", "\ud800", "Bearer " + token),
    ]

    for each in forged:
        with pytest.raises(Unauthenticated) as refused:
            await principal_for(each, resources, "public")
        assert refused.value.code == "unauthenticated", each
    assert await opens(resources, token)


async def test_good_signature_over_another_persons_sign_in_opens_nothing(resources: Resources) -> None:
    ada, bob = await a_user(resources), await a_user(resources)
    token = await token_of(resources, ada)
    claims = jwt.decode(token, options={"verify_signature": False})
    key = resources.keyring.derive("access-tokens")

    assert not await opens(resources, jwt.encode({**claims, "sub": bob.id}, key, "HS256"))
    assert not await opens(resources, jwt.encode({**claims, "aud": "graphql"}, key, "HS256"), "graphql")


@pytest.mark.parametrize("method", ["disable", "delete"])
async def test_who_is_disabled_or_deleted_is_out_at_once_with_token_and_key(resources: Resources, method: str) -> None:
    user, other = await a_user(resources), await a_user(resources)
    token, key = await token_of(resources, user), await key_of(resources, user, "orders:read")
    others = await token_of(resources, other)
    assert await opens(resources, token)
    assert await opens(resources, key.secret)

    await change(resources, method, user.id)

    assert not await opens(resources, token)
    with pytest.raises(InvalidApiKey):
        await principal_for(key.secret, resources, "public")
    assert await opens(resources, others)


@pytest.mark.parametrize("column", ["disabled_at", "deleted_at"])
async def test_sign_in_that_came_a_moment_after_its_user_was_disabled_opens_nothing(
    resources: Resources, column: str
) -> None:
    user = await a_user(resources)
    token = await token_of(resources, user)
    async with resources.database.write() as session:
        await session.execute(update(UserRow).values({column: NOON}))

    assert not await opens(resources, token)


async def test_keys_are_good_again_when_their_owner_is_enabled(resources: Resources) -> None:
    user = await a_user(resources)
    key = await key_of(resources, user, "orders:read")

    await change(resources, "disable", user.id)
    await change(resources, "enable", user.id)

    assert await opens(resources, key.secret)


async def test_role_counts_at_once_for_token_and_key(resources: Resources) -> None:
    user = await a_user(resources, "editor")
    token, key = await token_of(resources, user), await key_of(resources, user, "catalog:write", "orders:read")
    before = [await principal_for(each, resources, "public") for each in (token, key.secret)]

    await change(resources, "set_role", user.id, "customer")

    after = [await principal_for(each, resources, "public") for each in (token, key.secret)]
    assert [(principal.role, principal.may("catalog:write")) for principal in before] == [("editor", True)] * 2
    assert [(principal.role, principal.may("catalog:write")) for principal in after] == [("customer", False)] * 2
    assert after[0].scopes == SCOPES_OF["customer"]
    assert after[1].scopes == {"orders:read"}
    assert not after[1].sees_everybody


async def test_key_stands_for_its_owner(resources: Resources) -> None:
    user = await a_user(resources, "support")
    key = await key_of(resources, user, "orders:read")

    principal = await principal_for(key.secret, resources, "public")

    assert principal == Principal(
        "api_key", key.key.id, frozenset({"orders:read"}), user_id=user.id, role="support", email=user.email
    )
    assert not principal.has_role("customer")


async def test_key_with_a_scope_beyond_the_role_is_refused_and_not_made(resources: Resources) -> None:
    user = await a_user(resources, "support")

    with pytest.raises(ScopeNotAllowed) as refused:
        await key_of(resources, user, *SCOPES)

    assert refused.value.detail == "your role support does not have catalog:write"
    async with resources.database.read() as session:
        assert (await session.execute(select(ApiKeyRow))).all() == []


async def test_rotated_key_opens_with_both_secrets_until_the_overlap_ends(
    resources: Resources, clock: FakeClock
) -> None:
    user = await a_user(resources)
    old = await key_of(resources, user, "orders:read")

    new = await rotate(resources, old, user, 3600)

    assert new.key.id == old.key.id
    assert new.secret != old.secret
    clock.advance(seconds=3599)
    assert (await principal_for(old.secret, resources, "public")).expires_at == NOON.replace(hour=13)
    assert (await principal_for(new.secret, resources, "public")).expires_at is None
    clock.advance(seconds=1)
    assert not await opens(resources, old.secret)
    assert await opens(resources, new.secret)


async def test_rotating_without_overlap_ends_the_secret_at_once(resources: Resources) -> None:
    user = await a_user(resources)
    old = await key_of(resources, user, "orders:read")

    new = await rotate(resources, old, user, 0)

    assert not await opens(resources, old.secret)
    assert await opens(resources, new.secret)


async def test_rotating_again_ends_the_oldest_secret(resources: Resources) -> None:
    user = await a_user(resources)
    first = await key_of(resources, user, "orders:read")
    second = await rotate(resources, first, user, 3600)

    third = await rotate(resources, second, user, 3600)

    assert [await opens(resources, key.secret) for key in (first, second, third)] == [False, True, True]


async def test_of_secrets_that_were_made_at_once_the_last_two_are_good(resources: Resources) -> None:
    user = await a_user(resources)
    first = await key_of(resources, user, "orders:read")

    rotated = await asyncio.gather(*(rotate(resources, first, user, 3600) for _ in range(4)))

    assert not await opens(resources, first.secret)
    assert sorted([await opens(resources, key.secret) for key in rotated]) == [False, False, True, True]


async def test_expired_key_cannot_be_rotated(resources: Resources, clock: FakeClock) -> None:
    user = await a_user(resources)
    key = await key_of(resources, user, "orders:read", days=1)
    clock.advance(days=1)

    with pytest.raises(ApiKeyExpired):
        await rotate(resources, key, user, 0)

    async with resources.database.read() as session:
        (row,) = await session.scalars(select(ApiKeyRow))
    assert row.previous_hash is None


async def test_keys_are_changed_by_their_owner_alone_until_they_are_revoked(resources: Resources) -> None:
    user, other = await a_user(resources), await a_user(resources, "admin")
    key = await key_of(resources, user, "orders:read")

    for owner, key_id in ((other, key.key.id), (user, "000000000000"), (user, "a\0b")):
        async with resources.database.write() as session:
            service = ApiKeyService(session, resources.clock, actor="test")
            with pytest.raises(ApiKeyNotFound):
                await service.revoke(key_id, owner=acting(owner))
            with pytest.raises(ApiKeyNotFound):
                await service.rotate(RotateKey(key_id, 0), owner=acting(owner))
    assert await opens(resources, key.secret)

    async with resources.database.write() as session:
        service = ApiKeyService(session, resources.clock, actor="test")
        await service.revoke(key.key.id, owner=acting(user))
        with pytest.raises(ApiKeyNotFound):
            await service.revoke(key.key.id, owner=acting(user))
    assert not await opens(resources, key.secret)
    async with resources.database.read() as session:
        entries, _ = await AuditRepository(session).newest(subject=key.key.id)
        assert (await AccountRepository(session).keys_of(user.id, limit=10)).items == []
    assert [entry.action for entry in entries] == ["api_key.revoke", "api_key.create"]
    assert entries[1].after == {"name": "sync", "scopes": ["orders:read"], "user_id": user.id, "expires_at": None}


async def test_use_of_a_key_is_noted_once_a_minute_beside_the_request(resources: Resources, clock: FakeClock) -> None:
    key = await key_of(resources, await a_user(resources), "orders:read")
    noted = []

    with recorded(resources.database.writer) as statements:
        for _ in range(3):
            for _ in range(20):
                await principal_for(key.secret, resources, "public")
                clock.advance(seconds=0.5)
            await resources.background.settle()
            clock.advance(seconds=50)
            noted.append(len([sent for sent in statements if sent.startswith("UPDATE api_keys")]))

    assert noted == [1, 2, 3]
    async with resources.database.read() as session:
        assert await session.scalar(select(ApiKeyRow.last_used_at)) == NOON.replace(minute=2)


async def test_use_that_another_process_has_noted_is_not_noted_again(resources: Resources, clock: FakeClock) -> None:
    key = await key_of(resources, await a_user(resources), "orders:read")
    other = assemble(resources.settings, clock, resources.database, resources.objects, {})
    await principal_for(key.secret, resources, "public")
    await resources.background.settle()

    with recorded(resources.database.writer) as statements:
        await principal_for(key.secret, other, "public")
        await other.background.settle()

    assert statements == []


async def test_use_of_a_key_is_noted_without_the_request_waiting_for_the_writer(resources: Resources) -> None:
    key = await key_of(resources, await a_user(resources), "orders:read")
    async with resources.database.write() as session:  # SQLite's only writer is taken all the while
        await session.execute(select(ApiKeyRow))
        principal = await principal_for(key.secret, resources, "public")

    assert principal.id == key.key.id
    await resources.background.settle()
    async with resources.database.read() as session:
        assert await session.scalar(select(ApiKeyRow.last_used_at)) == NOON
