import hashlib
import re
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update

from commerce.accounts.api_keys import ApiKeyService, NewKey
from commerce.accounts.authentication import authenticate
from commerce.accounts.commands import CreateKey
from commerce.accounts.errors import InvalidApiKey, UnknownScope
from commerce.accounts.key_secrets import key_id_of, looks_like_key
from commerce.accounts.models import ApiKeyRow
from commerce.accounts.principal import ANONYMOUS, SCOPES, Principal
from core.database import Database
from tests.factories.clocks import NOON, FakeClock
from tests.factories.statements import recorded


async def make_key(database: Database, *scopes: str, days: int | None = None) -> NewKey:
    async with database.write() as session:
        return await ApiKeyService(session, FakeClock(), actor="cli").create(CreateKey("till", scopes, days))


async def principal_of(database: Database, key: str, now: datetime = NOON) -> Principal:
    async with database.read() as session:
        principal, _ = await authenticate(session, key, now)
    return principal


async def test_key_opens_with_its_id_and_scopes(database: Database) -> None:
    made = await make_key(database, "orders:read", "catalog:write", "orders:read")

    principal = await principal_of(database, made.secret)

    assert principal == Principal("api_key", made.key.id, frozenset({"orders:read", "catalog:write"}))
    assert principal.may("orders:read")
    assert not principal.may("orders:write")
    assert principal.sees_unpublished


async def test_key_has_the_documented_shape(database: Database) -> None:
    made = await make_key(database, "orders:read")

    assert re.fullmatch(r"ptk_[0-9A-Za-z]{12}_[0-9A-Za-z]{38}", made.secret)
    assert key_id_of(made.secret) == made.key.id
    assert looks_like_key(made.secret)
    assert not looks_like_key("eyJhbGciOiJIUzI1NiJ9.e30.c2ln")


async def test_keys_differ(database: Database) -> None:
    keys = [await make_key(database, "orders:read") for _ in range(3)]

    assert len({made.key.id for made in keys}) == len({made.secret[17:] for made in keys}) == 3


async def test_only_the_hash_is_stored(database: Database) -> None:
    made = await make_key(database, "orders:read")

    async with database.read() as session:
        row = (await session.execute(select(ApiKeyRow))).scalar_one()

    kept = [getattr(row, column.name) for column in ApiKeyRow.__table__.columns]
    assert row.secret_hash == hashlib.sha256(made.secret.encode()).digest()
    assert made.secret.removeprefix(f"ptk_{made.key.id}_") not in repr(kept) + repr(row)
    assert (row.name, row.scopes, row.created_at) == ("till", ["orders:read"], NOON)


async def test_mistyped_key_is_refused_without_any_sql(sqlite_database: Database) -> None:
    made = await make_key(sqlite_database, "orders:read")
    mistyped = [
        made.secret[:place] + ("x" if mark != "x" else "y") + made.secret[place + 1 :]
        for place, mark in enumerate(made.secret)
    ]

    with recorded(sqlite_database.reader) as statements:
        for key in [
            *mistyped,
            made.secret[:-1],
            made.secret + "0",
            made.secret + "\n",
            made.secret.swapcase(),
            "",
            "ptk_",
        ]:
            with pytest.raises(InvalidApiKey):
                await principal_of(sqlite_database, key)

    assert statements == []


async def test_good_key_costs_one_statement(sqlite_database: Database) -> None:
    made = await make_key(sqlite_database, "orders:read")

    with recorded(sqlite_database.reader) as statements:
        await principal_of(sqlite_database, made.secret)

    assert len(statements) == 1


async def test_key_ends_with_its_lifetime(database: Database) -> None:
    made = await make_key(database, "orders:read", days=30)
    end = NOON + timedelta(days=30)

    assert (await principal_of(database, made.secret, end - timedelta(microseconds=1))).id == made.key.id
    with pytest.raises(InvalidApiKey):
        await principal_of(database, made.secret, end)


async def test_key_without_a_lifetime_does_not_end(database: Database) -> None:
    made = await make_key(database, "orders:read")

    assert (await principal_of(database, made.secret, NOON + timedelta(days=36_500))).id == made.key.id


async def test_revoked_key_is_refused(database: Database) -> None:
    made = await make_key(database, "orders:read")
    other = await make_key(database, "orders:read")
    async with database.write() as session:
        await session.execute(update(ApiKeyRow).where(ApiKeyRow.id == made.key.id).values(revoked_at=NOON))

    with pytest.raises(InvalidApiKey):
        await principal_of(database, made.secret)

    assert (await principal_of(database, other.secret)).id == other.key.id


async def test_well_formed_key_that_was_never_made_here_is_refused(database: Database) -> None:
    made = await make_key(database, "orders:read")
    async with database.write() as session:
        await session.execute(update(ApiKeyRow).values(id="000000000000"))

    with pytest.raises(InvalidApiKey):
        await principal_of(database, made.secret)


async def test_key_with_the_secret_of_another_is_refused(database: Database) -> None:
    made = await make_key(database, "orders:read")
    async with database.write() as session:
        await session.execute(update(ApiKeyRow).values(secret_hash=hashlib.sha256(b"another").digest()))

    with pytest.raises(InvalidApiKey):
        await principal_of(database, made.secret)


async def test_every_reason_gives_the_same_answer_and_no_secret(database: Database) -> None:
    made = await make_key(database, "orders:read", days=1)
    refusals = []

    for key, now in ((made.secret, NOON + timedelta(days=2)), (made.secret[:-1] + "!", NOON), ("ptk_x", NOON)):
        with pytest.raises(InvalidApiKey) as refused:
            await principal_of(database, key, now)
        refusals.append((refused.value.code, refused.value.detail, str(refused.value)))

    assert set(refusals) == {("invalid_api_key", "Invalid API key", "Invalid API key")}


async def test_unknown_scope_is_refused_and_no_key_is_made(database: Database) -> None:
    with pytest.raises(UnknownScope) as refused:
        await make_key(database, "orders:read", "orders:delete")

    assert refused.value.detail == f"'orders:delete' is not a scope; there are {', '.join(SCOPES)}"
    async with database.read() as session:
        assert (await session.execute(select(ApiKeyRow))).all() == []


async def test_every_documented_scope_can_be_given(database: Database) -> None:
    documented = (
        "catalog:read catalog:write orders:read orders:write events:read webhooks:write reports:read support:write"
    )

    made = await make_key(database, *documented.split())

    assert (await principal_of(database, made.secret)).scopes == frozenset(documented.split())


def test_anonymous_caller_may_nothing() -> None:
    assert [scope for scope in SCOPES if ANONYMOUS.may(scope)] == []
    assert not ANONYMOUS.sees_unpublished
    assert ANONYMOUS.id is None


async def test_new_key_does_not_show_its_secret(database: Database) -> None:
    made = await make_key(database, "orders:read")

    assert made.secret not in repr(made)
    assert made.key.id in repr(made)
