"""API keys: made, rotated and revoked. A key has an owner, or is the shop's own."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import select

from commerce.accounts.commands import CreateKey, RotateKey
from commerce.accounts.entities import ApiKey
from commerce.accounts.errors import ApiKeyExpired, ApiKeyNotFound, ScopeNotAllowed, UnknownScope
from commerce.accounts.key_secrets import hash_of_key, new_key_id, new_key_secret
from commerce.accounts.models import ApiKeyRow
from commerce.accounts.principal import SCOPES, SCOPES_OF, Principal
from commerce.accounts.repository import api_key
from commerce.accounts.watch import CREDENTIALS
from commerce.audit.log import SYSTEM, AuditLog
from commerce.catalog.text import is_storable
from core.clock import Clock
from core.database import Database, WriteSession, announce
from core.errors import FieldError


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key at the moment of its making: the only time that its secret is known."""

    key: ApiKey
    secret: str = field(repr=False)


class ApiKeyService:
    """Per transaction. People change their own keys alone."""

    def __init__(self, session: WriteSession, clock: Clock, *, actor: str) -> None:
        self._session = session
        self._clock = clock
        self._audit = AuditLog(session, clock, actor)

    async def create(self, command: CreateKey, *, owner: Principal | None = None) -> NewKey:
        """Without an owner it is the shop's own. Raises UnknownScope, ScopeNotAllowed."""
        _require_allowed(command.scopes, owner)
        key_id, now = new_key_id(), self._clock.now()
        secret = new_key_secret(key_id)
        lifetime = timedelta(days=command.expires_in_days) if command.expires_in_days is not None else None
        row = ApiKeyRow(
            id=key_id,
            user_id=owner.user_id if owner is not None else None,
            name=command.name,
            secret_hash=hash_of_key(secret),
            previous_hash=None,
            previous_expires_at=None,
            scopes=list(command.scopes),
            created_at=now,
            expires_at=now + lifetime if lifetime is not None else None,
            revoked_at=None,
            last_used_at=None,
        )
        self._session.add(row)
        await self._session.flush()
        made = {"name": row.name, "scopes": row.scopes, "user_id": row.user_id, "expires_at": _text(row.expires_at)}
        await self._audit.record("api_key.create", key_id, None, made)
        return NewKey(api_key(row), secret)

    async def rotate(self, command: RotateKey, *, owner: Principal) -> NewKey:
        """A new secret. The present one is good for the overlap; one that still overlaps with it ends now.

        Raises ApiKeyNotFound, ApiKeyExpired.
        """
        row = await self._locked(command.key_id, owner)
        now = self._clock.now()
        if row.expires_at is not None and row.expires_at <= now:
            raise ApiKeyExpired
        secret = new_key_secret(row.id)
        row.previous_hash, row.secret_hash = row.secret_hash, hash_of_key(secret)
        row.previous_expires_at = now + timedelta(seconds=command.overlap_seconds)
        await self._session.flush()
        after = {"secret_before_ends": _text(row.previous_expires_at)}
        await self._audit.record("api_key.rotate", row.id, None, after)
        announce(self._session, CREDENTIALS)
        return NewKey(api_key(row), secret)

    async def revoke(self, key_id: str, *, owner: Principal) -> None:
        """At once, and for good. Raises ApiKeyNotFound."""
        row = await self._locked(key_id, owner)
        row.revoked_at = self._clock.now()
        await self._session.flush()
        await self._audit.record("api_key.revoke", key_id, {"revoked_at": None}, {"revoked_at": _text(row.revoked_at)})
        announce(self._session, CREDENTIALS)

    async def _locked(self, key_id: str, owner: Principal) -> ApiKeyRow:
        own = select(ApiKeyRow).where(
            ApiKeyRow.id == key_id, ApiKeyRow.user_id == owner.user_id, ApiKeyRow.revoked_at.is_(None)
        )
        row: ApiKeyRow | None = None
        if is_storable(key_id):
            row = (await self._session.execute(own.with_for_update())).scalar_one_or_none()
        if row is None:
            raise ApiKeyNotFound(f"no API key {key_id[:40]!r} of yours")
        return row


async def first_key(database: Database, clock: Clock) -> str | None:
    """A key with every scope where there is none yet, for a first look; None where there are keys."""
    async with database.write() as session:
        if await session.scalar(select(ApiKeyRow.id).limit(1)) is not None:
            return None
        return (await ApiKeyService(session, clock, actor=SYSTEM).create(CreateKey("first start", SCOPES))).secret


def _require_allowed(scopes: Sequence[str], owner: Principal | None) -> None:
    for scope in scopes:
        if scope not in SCOPES:
            message = f"{scope!r} is not a scope; there are {', '.join(SCOPES)}"
            raise UnknownScope(message, errors=(FieldError("/scopes", UnknownScope.code, message),))
    if owner is not None and owner.role is not None:
        beyond = sorted(set(scopes) - SCOPES_OF[owner.role])
        if beyond:
            raise ScopeNotAllowed(f"your role {owner.role} does not have {', '.join(beyond)}")


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None
