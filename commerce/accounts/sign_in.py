"""Signing in at a door, staying signed in, and signing out. Each call is a transaction of its own."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from email_validator import EmailNotValidError
from sqlalchemy import delete, insert, select, update

from commerce.accounts.commands import normal_email
from commerce.accounts.entities import User
from commerce.accounts.errors import InvalidCredentials, InvalidRefreshToken
from commerce.accounts.models import RefreshTokenRow, SignInRow, UserRow
from commerce.accounts.passwords import PASSWORDS, Passwords
from commerce.accounts.repository import AccountRepository
from commerce.accounts.throttling import SignInThrottle
from commerce.accounts.tokens import (
    STAFF_AUDIENCES,
    AccessTokens,
    Audience,
    NewRefreshToken,
    hash_of,
    looks_like_refresh_token,
)
from commerce.accounts.watch import CREDENTIALS
from commerce.audit.log import SYSTEM, AuditLog
from core.database import WriteSession, announce
from core.ids import new_id
from core.resources import Resources

ACCESS_LIFETIME = timedelta(minutes=15)
INTERNAL_LIFETIME = timedelta(hours=8)
# Of a sign-in that is not used: each refresh begins it anew.
REFRESH_LIFETIME = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Tokens:
    """The only time that they are known. Staff at the internal door get no refresh token: they sign in each day."""

    access_token: str = field(repr=False)
    expires_in: int
    refresh_token: str | None = field(repr=False)
    user: User


@dataclass(frozen=True, slots=True)
class _Family:
    """A sign-in as its refresh tokens see it."""

    sign_in_id: str
    audience: Audience
    user: User


class SignIn:
    """Per request."""

    def __init__(self, resources: Resources, passwords: Passwords = PASSWORDS) -> None:
        self._database = resources.database
        self._clock = resources.clock
        self._tokens = AccessTokens(resources.keyring)
        self._throttle = SignInThrottle(resources.limiter)
        self._passwords = passwords

    async def sign_in(self, email: str, password: str, *, audience: Audience, address: str) -> Tokens:
        """Raises InvalidCredentials, the same for every reason and after the same work, RateLimited, and
        LimitsUnavailable.
        """
        await self._throttle.admit(email, address)
        user, stored = await self._account(email)
        right, newer_hash = await self._passwords.verify(password, stored)
        if user is None or not right or not _may_enter(user, audience):
            await self._throttle.failed(address)
            raise InvalidCredentials
        await self._throttle.succeeded(email)
        async with self._database.write() as session:
            if newer_hash is not None:
                same = UserRow.password_hash == stored
                await session.execute(
                    update(UserRow).where(UserRow.id == user.id, same).values(password_hash=newer_hash)
                )
            return await self._open(session, user, audience)

    async def refresh(self, token: str) -> Tokens:
        """New tokens for a refresh token, which is good once. Raises InvalidRefreshToken.

        One that was used before is in two hands, and nobody knows in whose: the sign-in ends for both.
        """
        if not looks_like_refresh_token(token):
            raise InvalidRefreshToken
        token_hash = hash_of(token)
        async with self._database.read() as session:  # what is no token at all waits for no writer
            known = await session.scalar(
                select(RefreshTokenRow.sign_in_id).where(RefreshTokenRow.secret_hash == token_hash)
            )
        if known is None:
            raise InvalidRefreshToken
        async with self._database.write() as session:
            tokens = await self._rotate(session, token_hash)
        # Only here is it committed, the end of the sign-in too.
        if tokens is None:
            raise InvalidRefreshToken
        return tokens

    async def sign_out(self, sign_in_id: str) -> None:
        """Ends the sign-in for every token of it, at once."""
        async with self._database.write() as session:
            await _revoke(session, sign_in_id, self._clock.now())

    async def _account(self, email: str) -> tuple[User, str] | tuple[None, None]:
        """The user with this address, and the hash of their password."""
        try:
            stored_as = normal_email(email)
        except EmailNotValidError:
            return None, None
        async with self._database.read() as session:
            found = await AccountRepository(session).user_with_password_hash(stored_as)
        return found if found is not None else (None, None)

    async def _open(self, session: WriteSession, user: User, audience: Audience) -> Tokens:
        now = self._clock.now()
        row = SignInRow(
            id=new_id("sin"),
            user_id=user.id,
            audience=audience,
            created_at=now,
            expires_at=now + (INTERNAL_LIFETIME if audience in STAFF_AUDIENCES else REFRESH_LIFETIME),
            revoked_at=None,
        )
        session.add(row)
        await session.flush()
        return await self._issue(session, _Family(row.id, audience, user), now)

    async def _rotate(self, session: WriteSession, token_hash: bytes) -> Tokens | None:
        """None: refused, and the sign-in is revoked where the token was used before."""
        now = self._clock.now()
        sign_in_id = await session.scalar(
            update(RefreshTokenRow)
            .where(RefreshTokenRow.secret_hash == token_hash, RefreshTokenRow.used_at.is_(None))
            .values(used_at=now)
            .returning(RefreshTokenRow.sign_in_id)
        )
        if sign_in_id is None:
            await self._end_family(session, token_hash, now)
            return None
        family = await _family(session, sign_in_id, now)
        if family is None:
            return None
        await session.execute(
            update(SignInRow).where(SignInRow.id == sign_in_id).values(expires_at=now + REFRESH_LIFETIME)
        )
        return await self._issue(session, family, now)

    async def _end_family(self, session: WriteSession, token_hash: bytes, now: datetime) -> None:
        owner = select(SignInRow.id, SignInRow.user_id).join(RefreshTokenRow)
        row = (await session.execute(owner.where(RefreshTokenRow.secret_hash == token_hash))).one_or_none()
        if row is not None and await _revoke(session, row.id, now):
            after = {"sign_in": row.id, "reason": "a refresh token came twice"}
            await AuditLog(session, self._clock, SYSTEM).record("sign_in.revoke", row.user_id, None, after)

    async def _issue(self, session: WriteSession, family: _Family, now: datetime) -> Tokens:
        internal = family.audience in STAFF_AUDIENCES
        lifetime = INTERNAL_LIFETIME if internal else ACCESS_LIFETIME
        access = self._tokens.issue(family.user.id, family.sign_in_id, family.audience, now, lifetime)
        refresh = None if internal else NewRefreshToken.make()
        if refresh is not None:
            values = {"secret_hash": refresh.hash, "sign_in_id": family.sign_in_id, "created_at": now}
            await session.execute(insert(RefreshTokenRow).values(**values, used_at=None))
        return Tokens(access, int(lifetime.total_seconds()), refresh.token if refresh else None, family.user)


async def forget_expired(session: WriteSession, now: datetime) -> None:
    """Sign-ins that have ended by themselves, with their refresh tokens."""
    await session.execute(delete(SignInRow).where(SignInRow.expires_at <= now))


def _may_enter(user: User, audience: Audience) -> bool:
    return user.is_active and (audience not in STAFF_AUDIENCES or user.role != "customer")


async def _family(session: WriteSession, sign_in_id: str, now: datetime) -> _Family | None:
    """None where the sign-in or its user's account has ended."""
    row = (await session.execute(select(SignInRow).where(SignInRow.id == sign_in_id))).scalar_one()
    user = await AccountRepository(session).user(row.user_id)
    if row.revoked_at is not None or row.expires_at <= now or user is None or not user.is_active:
        return None
    return _Family(row.id, row.audience, user)  # type: ignore[arg-type]


async def _revoke(session: WriteSession, sign_in_id: str, now: datetime) -> bool:
    """Whether it was not over yet."""
    ended = await session.scalar(
        update(SignInRow)
        .where(SignInRow.id == sign_in_id, SignInRow.revoked_at.is_(None))
        .values(revoked_at=now)
        .returning(SignInRow.id)
    )
    announce(session, CREDENTIALS)
    return ended is not None
