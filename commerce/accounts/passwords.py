"""Passwords: hashed and compared with Argon2id, in few threads, never on the event loop."""

import secrets
from typing import Protocol

from anyio import CapacityLimiter, to_thread
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

# The least that OWASP's password storage cheat sheet asks for: 19 MiB, two passes. Each thread that hashes holds the
# memory, so that more would show in the size of a process.
_ARGON2 = Argon2Hasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# Of a text that nobody knows: compared with where there is no account, so that this costs what an account costs.
_NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$aWgcJTTNK3NA7OBpTpq6gg$KK0qShG70XkfKEraDb0Qqqeg7YeU6i2Z6MmnBGYAegI"
_THREADS = 2


class Hasher(Protocol):
    """pwdlib's PasswordHash."""

    def hash(self, password: str | bytes, /) -> str: ...
    def verify_and_update(self, password: str | bytes, hash: str | bytes, /) -> tuple[bool, str | None]: ...  # noqa: A002


class Passwords:
    """Per process."""

    def __init__(self, hasher: Hasher | None = None) -> None:
        self._hasher = hasher or PasswordHash((_ARGON2,))
        self._threads = CapacityLimiter(_THREADS)

    async def hash(self, password: str) -> str:
        return await to_thread.run_sync(self._hasher.hash, password, limiter=self._threads)

    async def verify(self, password: str, stored: str | None) -> tuple[bool, str | None]:
        """Whether it is the password; and its new hash, where the stored one was made with weaker parameters.

        Without a stored hash it is never the password, and takes as long.
        """
        # A lone surrogate is in no password, and no reason to fail.
        given = password.encode("utf-8", "surrogatepass")
        right, newer = await to_thread.run_sync(
            self._hasher.verify_and_update, given, stored or _NOBODY, limiter=self._threads
        )
        return right and bool(stored), newer


PASSWORDS = Passwords()


def random_password() -> str:
    """144 bits."""
    return secrets.token_urlsafe(18)
