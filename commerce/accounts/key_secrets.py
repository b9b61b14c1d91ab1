"""The text of an API key: `ptk_<id>_<secret>`, ending in a checksum, so that a mistyped key costs no database query.

The shape follows GitHub's tokens: a fixed prefix that scanners find, and a CRC32 in base 62 at the end.
"""

import hashlib
import re
import secrets
import string
import zlib

from commerce.accounts.errors import InvalidApiKey

PREFIX = "ptk_"
_ALPHABET = string.digits + string.ascii_letters
_ID_LENGTH = 12
_SECRET_LENGTH = 32
_CHECKSUM_LENGTH = 6
_SHAPE = re.compile(rf"ptk_([0-9A-Za-z]{{{_ID_LENGTH}}})_([0-9A-Za-z]{{{_SECRET_LENGTH + _CHECKSUM_LENGTH}}})")


def new_key_id() -> str:
    return _random(_ID_LENGTH)


def new_key_secret(key_id: str) -> str:
    """The whole key, as it is sent."""
    body = f"{PREFIX}{key_id}_{_random(_SECRET_LENGTH)}"
    return body + _checksum(body)


def looks_like_key(credential: str) -> bool:
    return credential.startswith(PREFIX)


def key_id_of(key: str) -> str:
    """The id inside a key whose checksum is right. Raises InvalidApiKey."""
    match = _SHAPE.fullmatch(key)
    if match is None or _checksum(key[:-_CHECKSUM_LENGTH]) != key[-_CHECKSUM_LENGTH:]:
        raise InvalidApiKey
    return match[1]


def hash_of_key(key: str) -> bytes:
    """Fast, because the secret has 190 random bits."""
    return hashlib.sha256(key.encode()).digest()


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _checksum(text: str) -> str:
    value, digits = zlib.crc32(text.encode()), ""
    for _ in range(_CHECKSUM_LENGTH):
        value, rest = divmod(value, len(_ALPHABET))
        digits = _ALPHABET[rest] + digits
    return digits
