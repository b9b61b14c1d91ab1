"""A hasher that counts: what signing in costs."""

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from tests.factories.people import PASSWORD

QUICK = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),))
QUICK_HASH = QUICK.hash(PASSWORD)


class CountingHasher:
    """Argon2 at its cheapest; notes the hash of every comparison."""

    def __init__(self) -> None:
        self.compared: list[str] = []
        self.hashed = 0

    def hash(self, password: str | bytes) -> str:
        self.hashed += 1
        return QUICK.hash(password)

    def verify_and_update(self, password: str | bytes, stored: str | bytes) -> tuple[bool, str | None]:
        self.compared.append(str(stored))
        # What is stored with other parameters is left alone here: the count is of comparisons.
        return QUICK.verify(password, stored), None
