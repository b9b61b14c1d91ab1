"""Signing in, staying signed in and signing out, on each kind of database."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from commerce.accounts.authentication import principal_for
from commerce.accounts.errors import InvalidCredentials, InvalidRefreshToken
from commerce.accounts.models import RefreshTokenRow, SignInRow, UserRow
from commerce.accounts.passwords import _NOBODY, PASSWORDS, Passwords
from commerce.accounts.service import AccountService
from commerce.accounts.sign_in import SignIn, Tokens, forget_expired
from commerce.accounts.throttling import network_of
from commerce.accounts.tokens import Audience, hash_of
from commerce.audit.log import AuditRepository
from commerce.limits.zones import SIGN_IN_ACCOUNT, SIGN_IN_ADDRESS
from core.errors import RateLimited, Unauthenticated
from core.resources import Resources
from tests.factories.clocks import NOON, FakeClock
from tests.factories.hashers import QUICK_HASH, CountingHasher
from tests.factories.people import PASSWORD, a_user
from tests.factories.statements import recorded

EMAIL = "ada@example.com"


@pytest.fixture
def hasher() -> CountingHasher:
    return CountingHasher()


@pytest.fixture
def door(resources: Resources, hasher: CountingHasher) -> SignIn:
    return SignIn(resources, Passwords(hasher))


@pytest.fixture
async def ada(resources: Resources) -> str:
    """The id of a customer whose password is PASSWORD."""
    return await somebody(resources)


async def somebody(resources: Resources, role: Any = "customer", email: str = EMAIL) -> str:
    user = await a_user(resources, role, email)
    async with resources.database.write() as session:
        await session.execute(update(UserRow).where(UserRow.id == user.id).values(password_hash=QUICK_HASH))
    return user.id


async def enter(
    door: SignIn, email: str = EMAIL, password: str = PASSWORD, audience: Audience = "public", address: str = "1.1.1.1"
) -> Tokens:
    return await door.sign_in(email, password, audience=audience, address=address)


async def rows(resources: Resources, table: type[Any]) -> int:
    async with resources.database.read() as session:
        return int(await session.scalar(select(func.count()).select_from(table)))


async def opens(resources: Resources, tokens: Tokens) -> bool:
    try:
        return (await principal_for(tokens.access_token, resources, "public")).kind == "user"
    except Unauthenticated:
        return False


async def test_signing_in_gives_tokens_that_open_the_door(resources: Resources, door: SignIn, ada: str) -> None:
    tokens = await enter(door, " ADA@example.com".strip())

    principal = await principal_for(tokens.access_token, resources, "public")
    assert (principal.kind, principal.id, principal.user_id, principal.role) == ("user", ada, ada, "customer")
    assert (principal.email, principal.expires_at) == (EMAIL, NOON + timedelta(minutes=15))
    assert (tokens.expires_in, tokens.user.id) == (900, ada)
    assert tokens.refresh_token is not None
    assert tokens.refresh_token.startswith("ptr_")
    assert tokens.refresh_token not in repr(tokens)
    assert tokens.access_token not in repr(tokens)


async def test_staff_sign_in_at_the_internal_door_for_eight_hours_without_a_refresh_token(
    resources: Resources, door: SignIn, clock: FakeClock
) -> None:
    await somebody(resources, "support")

    tokens = await enter(door, audience="internal")

    assert (tokens.expires_in, tokens.refresh_token) == (8 * 3600, None)
    assert await rows(resources, RefreshTokenRow) == 0
    clock.advance(hours=8, seconds=-1)
    assert (await principal_for(tokens.access_token, resources, "internal")).role == "support"
    clock.advance(seconds=1)
    with pytest.raises(Unauthenticated):
        await principal_for(tokens.access_token, resources, "internal")


async def those_who_may_not_enter(resources: Resources) -> list[tuple[str, str, Audience]]:
    """One of each kind, beside Ada."""
    gone = await somebody(resources, email="gone@example.com")
    off = await somebody(resources, email="off@example.com")
    await somebody(resources, email="customer@example.com")
    async with resources.database.write() as session:
        service = AccountService(session, resources.clock, actor="test")
        await service.delete(gone)
        await service.disable(off)
    return [
        (EMAIL, "wrong password", "public"),
        ("nobody@example.com", PASSWORD, "public"),
        ("no address", PASSWORD, "public"),
        ("\ud800\0", "\ud800\0", "public"),
        ("gone@example.com", PASSWORD, "public"),
        (f"deleted-{gone}@invalid", "", "public"),
        ("off@example.com", PASSWORD, "public"),
        ("customer@example.com", PASSWORD, "internal"),
    ]


@pytest.mark.usefixtures("ada")
async def test_every_refusal_says_the_same_and_costs_one_comparison(
    resources: Resources, door: SignIn, hasher: CountingHasher
) -> None:
    answers, costs = set(), []
    for email, password, audience in await those_who_may_not_enter(resources):
        hasher.compared.clear()
        with pytest.raises(InvalidCredentials) as refused:
            await enter(door, email, password, audience)
        answers.add((refused.value.code, refused.value.detail, refused.value.retry_after_seconds))
        costs.append(len(hasher.compared))

    assert answers == {("invalid_credentials", "Invalid credentials", None)}
    assert costs == [1] * 8
    assert hasher.hashed == 0
    assert await rows(resources, SignInRow) == 0


@pytest.mark.usefixtures("ada")
async def test_unknown_user_costs_exactly_one_comparison_as_a_known_one_does(
    door: SignIn, hasher: CountingHasher
) -> None:
    with pytest.raises(InvalidCredentials):
        await enter(door, "nobody@example.com")
    unknown = hasher.compared[:]
    hasher.compared.clear()
    await enter(door)

    assert unknown == [_NOBODY]
    assert hasher.compared == [QUICK_HASH]
    assert hasher.hashed == 0


async def test_hash_with_old_parameters_is_renewed_when_its_owner_signs_in(resources: Resources, ada: str) -> None:
    await enter(SignIn(resources))

    async with resources.database.read() as session:
        newer = await session.scalar(select(UserRow.password_hash).where(UserRow.id == ada))
    assert newer.startswith("$argon2id$v=19$m=19456,")
    assert await PASSWORDS.verify(PASSWORD, newer) == (True, None)


@pytest.mark.usefixtures("ada")
async def test_account_is_throttled_after_ten_tries_known_or_not(
    resources: Resources, door: SignIn, hasher: CountingHasher
) -> None:
    for email in (EMAIL, "nobody@example.com"):
        for number in range(10):
            with pytest.raises(InvalidCredentials):
                await enter(door, email, "wrong", address=f"10.0.0.{number}")
        hasher.compared.clear()

        for spelling in (email, email.upper()):
            with pytest.raises(RateLimited) as refused:
                await enter(door, spelling, address="10.9.9.9")

            assert 890 <= (refused.value.retry_after_seconds or 0) <= 900
        assert hasher.compared == []
    assert await rows(resources, SignInRow) == 0
    await somebody(resources, email="other@example.com")
    assert (await enter(door, "other@example.com", address="10.0.0.1")).access_token


@pytest.mark.usefixtures("ada")
async def test_signing_in_forgets_the_failures_before_it(resources: Resources, door: SignIn) -> None:
    for _ in range(3):
        for _ in range(9):
            with pytest.raises(InvalidCredentials):
                await enter(door, password="wrong")
        await enter(door)

    assert await rows(resources, SignInRow) == 3


@pytest.mark.usefixtures("ada")
async def test_address_is_throttled_after_fifty_failures_and_successes_do_not_count(
    resources: Resources, door: SignIn
) -> None:
    address = "2001:db8:1:2::1"
    for _ in range(12):
        await enter(door, address=address)
    for number in range(50):
        with pytest.raises(InvalidCredentials):
            await enter(door, f"nobody-{number}@example.com", address=address)

    with pytest.raises(RateLimited) as refused:
        await enter(door, address="2001:db8:1:2:ffff::9")

    assert refused.value.retry_after_seconds
    assert (await enter(door, address="2001:db8:1:3::1")).access_token
    assert await rows(resources, SignInRow) == 13


def test_limits_are_those_that_are_documented() -> None:
    assert (SIGN_IN_ACCOUNT.amount, SIGN_IN_ACCOUNT.seconds) == (10, 900)
    assert (SIGN_IN_ADDRESS.amount, SIGN_IN_ADDRESS.seconds) == (50, 900)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("", ""),
        ("a socket", "a socket"),
    ],
)
def test_network_of_an_address(address: str, network: str) -> None:
    assert network_of(address) == network


async def test_refreshing_gives_new_tokens_for_the_same_sign_in(
    resources: Resources, door: SignIn, ada: str, clock: FakeClock
) -> None:
    first = await enter(door)
    clock.advance(days=29)

    second = await door.refresh(first.refresh_token or "")
    clock.advance(days=29)
    third = await door.refresh(second.refresh_token or "")

    assert len({first.refresh_token, second.refresh_token, third.refresh_token}) == 3
    assert (await principal_for(third.access_token, resources, "public")).id == ada
    assert await rows(resources, SignInRow) == 1


async def test_token_of_graphql_is_refreshed_to_one_of_graphql(resources: Resources, door: SignIn, ada: str) -> None:
    tokens = await door.refresh((await enter(door, audience="graphql")).refresh_token or "")

    assert (await principal_for(tokens.access_token, resources, "graphql")).id == ada
    with pytest.raises(Unauthenticated):
        await principal_for(tokens.access_token, resources, "public")


async def test_used_refresh_token_that_comes_again_ends_the_whole_sign_in(
    resources: Resources, door: SignIn, ada: str
) -> None:
    other = await enter(door)
    first = await enter(door)
    second = await door.refresh(first.refresh_token or "")
    assert await opens(resources, second)

    with pytest.raises(InvalidRefreshToken) as refused:
        await door.refresh(first.refresh_token or "")

    assert refused.value.detail == "Invalid refresh token"
    assert not await opens(resources, first)
    assert not await opens(resources, second)
    with pytest.raises(InvalidRefreshToken):
        await door.refresh(second.refresh_token or "")
    assert await opens(resources, other)
    async with resources.database.read() as session:
        entries, _ = await AuditRepository(session).newest(subject=ada)
    assert [(entry.action, entry.actor) for entry in entries] == [
        ("sign_in.revoke", "system"),
        ("user.register", "test"),
    ]


@pytest.mark.usefixtures("ada")
async def test_of_simultaneous_uses_of_one_refresh_token_exactly_one_wins(resources: Resources, door: SignIn) -> None:
    for _ in range(5):
        token = (await enter(door)).refresh_token or ""
        made = await rows(resources, RefreshTokenRow)

        outcomes = await asyncio.gather(*(door.refresh(token) for _ in range(4)), return_exceptions=True)

        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["InvalidRefreshToken"] * 3 + ["Tokens"]
        assert await rows(resources, RefreshTokenRow) == made + 1


@pytest.mark.parametrize("token", ["", "ptr_", "ptr_" + "x" * 43, "ptr_" + "\ud800" * 43, "ptk_x", "x" * 10_000])
async def test_refresh_token_that_was_never_made_waits_for_no_writer(
    resources: Resources, door: SignIn, token: str
) -> None:
    with recorded(resources.database.writer) as statements, pytest.raises(InvalidRefreshToken):
        await door.refresh(token)

    assert statements == []


@pytest.mark.usefixtures("ada")
async def test_refresh_token_ends_after_thirty_days(resources: Resources, door: SignIn, clock: FakeClock) -> None:
    tokens = await enter(door)
    clock.advance(days=30)

    with pytest.raises(InvalidRefreshToken):
        await door.refresh(tokens.refresh_token or "")

    assert await rows(resources, RefreshTokenRow) == 1


@pytest.mark.usefixtures("ada")
async def test_signing_out_ends_every_token_of_the_sign_in_at_once(resources: Resources, door: SignIn) -> None:
    tokens, other = await enter(door), await enter(door)
    principal = await principal_for(tokens.access_token, resources, "public")

    await door.sign_out(principal.sign_in_id or "")

    assert not await opens(resources, tokens)
    with pytest.raises(InvalidRefreshToken):
        await door.refresh(tokens.refresh_token or "")
    assert await opens(resources, other)


async def test_who_is_disabled_cannot_refresh_and_signs_in_anew_when_enabled(
    resources: Resources, door: SignIn, ada: str
) -> None:
    tokens = await enter(door)
    for method in ("disable", "enable"):
        async with resources.database.write() as session:
            await getattr(AccountService(session, resources.clock, actor="test"), method)(ada)

    assert not await opens(resources, tokens)
    with pytest.raises(InvalidRefreshToken):
        await door.refresh(tokens.refresh_token or "")
    assert await opens(resources, await enter(door))


@pytest.mark.usefixtures("ada")
async def test_only_hashes_of_refresh_tokens_are_stored(resources: Resources, door: SignIn) -> None:
    tokens = await enter(door)

    async with resources.database.read() as session:
        (row,) = await session.scalars(select(RefreshTokenRow))
    assert row.secret_hash == hash_of(tokens.refresh_token or "")
    assert len(row.secret_hash) == 32


async def test_sign_ins_that_have_ended_are_forgotten_with_their_refresh_tokens(
    resources: Resources, door: SignIn, ada: str, clock: FakeClock
) -> None:
    await enter(door)
    clock.advance(days=15)
    young = await enter(door)
    clock.advance(days=15)

    async with resources.database.write() as session:
        await forget_expired(session, clock.now())

    assert ada
    assert await rows(resources, SignInRow) == 1
    assert await rows(resources, RefreshTokenRow) == 1
    assert (await door.refresh(young.refresh_token or "")).user.id == ada
