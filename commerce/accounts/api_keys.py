"""API keys: `ptk_<id>_<secret>`, the secret ending in a checksum, so that a mistyped key costs no database query.

The shape follows GitHub's tokens: a fixed prefix that scanners find, and a CRC32 in base 62 at the end.
"""

import hashlib
import hmac
import re
import secrets
import string
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import select

from commerce.accounts.errors import InvalidApiKey, UnknownScope
from commerce.accounts.models import ApiKeyRow
from commerce.accounts.principal import SCOPES, Principal
from core.clock import Clock
from core.database import Database, ReadSession, WriteSession

PREFIX = "ptk_"
_ALPHABET = string.digits + string.ascii_letters
_ID_LENGTH = 12
_SECRET_LENGTH = 32
_CHECKSUM_LENGTH = 6
_SHAPE = re.compile(rf"ptk_([0-9A-Za-z]{{{_ID_LENGTH}}})_([0-9A-Za-z]{{{_SECRET_LENGTH + _CHECKSUM_LENGTH}}})")


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key at the moment of its making: the only time that its secret is known."""

    id: str
    secret: str = field(repr=False)


class ApiKeyService:
    """Per transaction."""

    def __init__(self, session: WriteSession, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    async def create(self, name: str, scopes: Sequence[str], *, lifetime: timedelta | None = None) -> NewKey:
        """Raises UnknownScope."""
        for scope in scopes:
            if scope not in SCOPES:
                raise UnknownScope(f"{scope!r} is not a scope; there are {', '.join(SCOPES)}")
        key_id = _random(_ID_LENGTH)
        secret = _random(_SECRET_LENGTH)
        body = f"{PREFIX}{key_id}_{secret}"
        key = body + _checksum(body)
        now = self._clock.now()
        row = ApiKeyRow(
            id=key_id,
            user_id=None,
            name=name,
            secret_hash=_hash(key),
            previous_hash=None,
            previous_expires_at=None,
            last_used_at=None,
            scopes=sorted(set(scopes)),
            created_at=now,
            expires_at=now + lifetime if lifetime else None,
            revoked_at=None,
        )
        self._session.add(row)
        await self._session.flush()
        return NewKey(key_id, key)


async def first_key(database: Database, clock: Clock) -> str | None:
    """A key with every scope where there is none yet, for a first look; None where there are keys."""
    async with database.write() as session:
        if await session.scalar(select(ApiKeyRow.id).limit(1)) is not None:
            return None
        return (await ApiKeyService(session, clock).create("first start", SCOPES)).secret


def looks_like_key(credential: str) -> bool:
    return credential.startswith(PREFIX)


async def authenticate(session: ReadSession, key: str, now: datetime) -> Principal:
    """The principal that the key stands for. Raises InvalidApiKey, the same for every reason."""
    row = (await session.execute(select(ApiKeyRow).where(ApiKeyRow.id == key_id(key)))).scalar_one_or_none()
    # The comparison is made for an unknown key too, so that both take the same time.
    matches = hmac.compare_digest(row.secret_hash if row else bytes(32), _hash(key))
    if (
        row is None
        or not matches
        or row.revoked_at is not None
        or (row.expires_at is not None and row.expires_at <= now)
    ):
        raise InvalidApiKey
    return Principal("api_key", row.id, frozenset(row.scopes), expires_at=row.expires_at)


def key_id(key: str) -> str:
    """The id inside a key whose checksum is right. Raises InvalidApiKey."""
    match = _SHAPE.fullmatch(key)
    if match is None or _checksum(key[:-_CHECKSUM_LENGTH]) != key[-_CHECKSUM_LENGTH:]:
        raise InvalidApiKey
    return match[1]


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _checksum(text: str) -> str:
    value, digits = zlib.crc32(text.encode()), ""
    for _ in range(_CHECKSUM_LENGTH):
        value, rest = divmod(value, len(_ALPHABET))
        digits = _ALPHABET[rest] + digits
    return digits
