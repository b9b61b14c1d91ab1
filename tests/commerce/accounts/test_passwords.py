import threading
import time

import anyio
import pytest
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from commerce.accounts.passwords import _NOBODY, PASSWORDS, Passwords, random_password
from tests.factories.hashers import QUICK_HASH
from tests.factories.people import PASSWORD


class SlowHasher:
    """Notes in which threads it works, and how many at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now = 0
        self.most = 0
        self.threads: set[int] = set()

    def hash(self, _password: str | bytes) -> str:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
            self.threads.add(threading.get_ident())
        time.sleep(0.02)
        with self._lock:
            self._now -= 1
        return ""

    def verify_and_update(self, password: str | bytes, _stored: str | bytes) -> tuple[bool, str | None]:
        self.hash(password)
        return True, None


async def test_password_is_kept_as_argon2id_with_the_parameters_that_owasp_asks_for() -> None:
    stored = await PASSWORDS.hash(PASSWORD)

    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await PASSWORDS.verify(PASSWORD, stored) == (True, None)
    assert await PASSWORDS.verify(PASSWORD.upper(), stored) == (False, None)


async def test_hash_with_other_parameters_is_made_anew() -> None:
    right, newer = await PASSWORDS.verify(PASSWORD, QUICK_HASH)

    assert right
    assert newer is not None
    assert await PASSWORDS.verify(PASSWORD, newer) == (True, None)


async def test_hash_with_other_parameters_is_not_made_anew_for_a_wrong_password() -> None:
    assert await PASSWORDS.verify("wrong", QUICK_HASH) == (False, None)


def test_nobody_costs_what_everybody_costs() -> None:
    own = PASSWORDS._hasher
    assert isinstance(own, PasswordHash)
    hasher = own.current_hasher
    assert isinstance(hasher, Argon2Hasher)

    assert not hasher.check_needs_rehash(_NOBODY)


@pytest.mark.parametrize("stored", [None, ""])
async def test_without_a_stored_hash_no_password_is_right_and_one_is_compared(stored: str | None) -> None:
    hasher = SlowHasher()

    assert (await Passwords(hasher).verify(PASSWORD, stored))[0] is False
    assert len(hasher.threads) == 1


@pytest.mark.parametrize("password", ["\ud800", "a\0b", "", "x" * 100_000])
async def test_any_text_can_be_compared(password: str) -> None:
    assert await PASSWORDS.verify(password, QUICK_HASH) == (False, None)


async def test_passwords_are_hashed_two_at_a_time_and_never_on_the_event_loop() -> None:
    hasher = SlowHasher()
    passwords = Passwords(hasher)

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(passwords.hash, "x")
            group.start_soon(passwords.verify, "x", "y")

    assert hasher.most == 2
    assert threading.get_ident() not in hasher.threads


def test_random_passwords_are_long_and_differ() -> None:
    assert len({random_password() for _ in range(10)}) == 10
    assert len(random_password()) == 24
