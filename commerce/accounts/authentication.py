"""From a credential to a principal, the same on every door: an API key, or the access token of a sign-in."""

import hmac
import time
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal

from sqlalchemy import Row, or_, select, update

from commerce.accounts.errors import InvalidApiKey
from commerce.accounts.key_secrets import hash_of_key, key_id_of, looks_like_key
from commerce.accounts.models import ApiKeyRow, SignInRow, UserRow
from commerce.accounts.principal import ANONYMOUS, SCOPES_OF, Principal
from commerce.accounts.throttling import admit_credential
from commerce.accounts.tokens import STAFF_AUDIENCES, AccessTokens, Audience, Claims, hash_of
from core.database import Database, ReadSession
from core.errors import Unauthenticated
from core.receipts import note, tell
from core.resources import Resources

Door = Literal["public", "graphql", "internal", "dashboard"]
# Whose tokens each door takes.
_AUDIENCES: dict[Door, tuple[Audience, ...]] = {
    "public": ("public",),
    "graphql": ("public", "graphql"),
    "internal": ("internal",),
    "dashboard": ("dashboard",),  # the page in a browser, and nothing else of that door
}
_USES_NOTED_EVERY = timedelta(minutes=1)
_KEY = (
    ApiKeyRow.id,
    ApiKeyRow.scopes,
    ApiKeyRow.secret_hash,
    ApiKeyRow.previous_hash,
    ApiKeyRow.previous_expires_at,
    ApiKeyRow.expires_at,
    ApiKeyRow.revoked_at,
    ApiKeyRow.last_used_at,
    ApiKeyRow.user_id,
    UserRow.role,
    UserRow.email,
    UserRow.disabled_at,
    UserRow.deleted_at,
)


async def principal_for(token: str | None, resources: Resources, door: Door, address: str = "") -> Principal:
    """Whose bearer token it is; anonymous without one. One statement, in a session of its own.

    What was revoked, disabled or changed a moment ago counts: a token says who, never what they may. Bad credentials
    are refused also where anonymous callers are welcome: raises Unauthenticated, TokenExpired, InvalidApiKey; and
    QuotaExceeded before it looks, where the credential or the address has been looked for too often.
    """
    if token is None:
        return ANONYMOUS
    started = time.perf_counter()
    try:
        principal = await _principal_of(token, resources, door, address)
    finally:
        note("auth", seconds=time.perf_counter() - started)
    tell("principal", principal.name)
    return principal


async def _principal_of(token: str, resources: Resources, door: Door, address: str) -> Principal:
    now = resources.clock.now()
    if looks_like_key(token):
        if door in STAFF_AUDIENCES:
            raise Unauthenticated("API keys do not open this door: sign in")
        return await _of_key(token, resources, now, address)
    claims = AccessTokens(resources.keyring).read(token, _AUDIENCES[door], now)
    await admit_credential(resources, hash_of(token), f"user:{claims.user_id}", address)
    async with resources.database.read() as session:
        return await principal_of_claims(session, claims, now)


async def _of_key(key: str, resources: Resources, now: datetime, address: str) -> Principal:
    key_id, key_hash = key_id_of(key), hash_of_key(key)
    await admit_credential(resources, key_hash, f"api_key:{key_id}", address)
    async with resources.database.read() as session:
        principal, last_used_at = await principal_of_key(session, key_id, key_hash, now)
    if last_used_at is None or last_used_at <= now - _USES_NOTED_EVERY:
        # Beside the request: it waits for no writer, and does not fail with it.
        note = partial(_note_use, resources.database, principal.id, now)
        resources.background.start(f"use of {principal.name}", note, now=now, rest=_USES_NOTED_EVERY)
    return principal


async def authenticate(session: ReadSession, key: str, now: datetime) -> tuple[Principal, datetime | None]:
    """Whom the key stands for, and when its use was noted last. Raises InvalidApiKey, the same for every reason."""
    return await principal_of_key(session, key_id_of(key), hash_of_key(key), now)


async def principal_of_key(
    session: ReadSession, key_id: str, key_hash: bytes, now: datetime
) -> tuple[Principal, datetime | None]:
    """As `authenticate`, of a key whose secret was hashed before."""
    statement = select(*_KEY).outerjoin(UserRow, UserRow.id == ApiKeyRow.user_id).where(ApiKeyRow.id == key_id)
    row = (await session.execute(statement)).one_or_none()
    ends = _ends(row, key_hash)
    if row is None or row.revoked_at is not None or any(end <= now for end in ends):
        raise InvalidApiKey
    if row.disabled_at is not None or row.deleted_at is not None:
        raise InvalidApiKey
    scopes = frozenset(row.scopes)
    principal = Principal(
        "api_key",
        row.id,
        scopes & SCOPES_OF[row.role] if row.user_id is not None else scopes,
        user_id=row.user_id,
        role=row.role,
        email=row.email,
        expires_at=min(ends, default=None),
        key_hash=key_hash,
    )
    return principal, row.last_used_at


def _ends(row: Row[Any] | None, given: bytes) -> list[datetime]:
    """When the secret that was given ends, and when the key does. Raises InvalidApiKey for another's secret."""
    # The comparisons are made for an unknown key too, so that both take the same time.
    current = hmac.compare_digest(row.secret_hash if row is not None else bytes(32), given)
    previous = hmac.compare_digest((row.previous_hash if row is not None else None) or bytes(32), given)
    if row is None or not (current or previous):
        raise InvalidApiKey
    ends = (row.expires_at, None if current else row.previous_expires_at)
    return [end for end in ends if end is not None]


async def _note_use(database: Database, key_id: str | None, now: datetime) -> None:
    """Once a minute, in however many processes."""
    stale = or_(ApiKeyRow.last_used_at.is_(None), ApiKeyRow.last_used_at <= now - _USES_NOTED_EVERY)
    async with database.write() as session:
        await session.execute(update(ApiKeyRow).where(ApiKeyRow.id == key_id, stale).values(last_used_at=now))


async def principal_of_claims(session: ReadSession, claims: Claims, now: datetime) -> Principal:
    """Raises Unauthenticated where the sign-in has ended."""
    holds = (
        SignInRow.id == claims.sign_in_id,
        SignInRow.audience == claims.audience,
        SignInRow.revoked_at.is_(None),
        SignInRow.expires_at > now,
        UserRow.id == claims.user_id,
        UserRow.disabled_at.is_(None),
        UserRow.deleted_at.is_(None),
    )
    statement = select(UserRow.id, UserRow.role, UserRow.email).join(SignInRow, SignInRow.user_id == UserRow.id)
    row = (await session.execute(statement.where(*holds))).one_or_none()
    if row is None:
        raise Unauthenticated("this sign-in has ended: sign in again")
    return Principal(
        "user",
        row.id,
        SCOPES_OF[row.role],
        user_id=row.id,
        role=row.role,
        email=row.email,
        sign_in_id=claims.sign_in_id,
        expires_at=claims.expires_at,
    )
