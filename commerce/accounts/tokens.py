"""Tokens of people: access tokens are signed (JWT, RFC 7519); refresh tokens are random, and only a hash is kept."""

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import uuid4

import jwt

from commerce.accounts.errors import TokenExpired
from core.errors import Unauthenticated
from core.sealing import Keyring

Audience = Literal["public", "graphql", "internal", "dashboard"]
STAFF_AUDIENCES: tuple[Audience, ...] = ("internal", "dashboard")  # of whose doors customers get no token
# There is one algorithm: a token that names another, or none, is refused whatever it says.
ALGORITHM = "HS256"
_ISSUER = "portico"
_CLAIMS = ["iss", "sub", "sid", "aud", "iat", "exp", "jti"]
_REFRESH_TOKEN = re.compile(r"ptr_[\w-]{43}")


@dataclass(frozen=True, slots=True)
class Claims:
    """What a good access token says; whether its sign-in still holds is in the database."""

    user_id: str
    sign_in_id: str
    audience: str
    expires_at: datetime


class AccessTokens:
    def __init__(self, keyring: Keyring) -> None:
        self._key = keyring.derive("access-tokens")

    def issue(self, user_id: str, sign_in_id: str, audience: Audience, now: datetime, lifetime: timedelta) -> str:
        claims = {
            "iss": _ISSUER,
            "sub": user_id,
            "sid": sign_in_id,
            "aud": audience,
            "iat": int(now.timestamp()),
            "exp": int((now + lifetime).timestamp()),
            "jti": uuid4().hex,
        }
        return jwt.encode(claims, self._key, ALGORITHM)

    def read(self, token: str, audiences: Sequence[Audience], now: datetime) -> Claims:
        """Raises TokenExpired, or Unauthenticated with what is wrong."""
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key,
                algorithms=[ALGORITHM],
                audience=audiences,
                issuer=_ISSUER,
                # Times are compared below, with the clock that everything else goes by.
                options={"require": _CLAIMS, "verify_exp": False, "verify_iat": False, "verify_nbf": False},
            )
        except jwt.InvalidAudienceError:
            raise Unauthenticated("the access token is for another door") from None
        except (jwt.InvalidTokenError, ValueError):
            raise Unauthenticated("the bearer token is neither an API key nor an access token of this shop") from None
        expires_at = datetime.fromtimestamp(claims["exp"], UTC)
        if expires_at <= now:
            raise TokenExpired
        return Claims(claims["sub"], claims["sid"], claims["aud"], expires_at)


@dataclass(frozen=True, slots=True)
class NewRefreshToken:
    """A refresh token at the moment of its making: the only time that it is known."""

    token: str = field(repr=False)
    hash: bytes

    @classmethod
    def make(cls) -> "NewRefreshToken":
        token = f"ptr_{secrets.token_urlsafe(32)}"
        return cls(token, hash_of(token))


def looks_like_refresh_token(token: str) -> bool:
    return _REFRESH_TOKEN.fullmatch(token) is not None


def hash_of(token: str) -> bytes:
    """Fast, because a refresh token has 256 random bits, and an access token a signature of as many."""
    return hashlib.sha256(token.encode()).digest()
