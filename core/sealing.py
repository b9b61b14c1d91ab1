"""Keys for each purpose from the one SECRET_KEY (HKDF, RFC 5869), and the sealing of what must not be read at rest."""

import base64
import hashlib
import hmac

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

__all__ = ["InvalidToken", "Keyring"]


class Keyring:
    """Per process. Nothing of it is shown in a repr or a log."""

    def __init__(self, secret_key: SecretStr) -> None:
        self._secret = secret_key.get_secret_value().encode()
        self._fernet = Fernet(base64.urlsafe_b64encode(self.derive("sealing")))
        self._fingerprints = self.derive("fingerprints")

    def derive(self, purpose: str) -> bytes:
        """32 bytes for one purpose; who has them cannot compute those for another."""
        return HKDF(SHA256(), 32, salt=b"portico", info=purpose.encode()).derive(self._secret)

    def seal(self, plain: bytes) -> bytes:
        """Encrypted and authenticated (Fernet)."""
        return self._fernet.encrypt(plain)

    def open(self, sealed: bytes) -> bytes:
        """Raises InvalidToken where it was sealed under another key, or changed."""
        return self._fernet.decrypt(sealed)

    def fingerprint(self, data: bytes) -> bytes:
        """Tells two texts apart without giving them away, also where they can be guessed (HMAC-SHA256)."""
        return hmac.digest(self._fingerprints, data, hashlib.sha256)
