"""What the table of outcomes keeps to itself."""

import hashlib
from contextlib import suppress
from dataclasses import replace

import pytest
from pydantic import SecretStr
from pydantic_core import to_json
from sqlalchemy import select

from core.idempotency import Answer, IdempotencyRow
from core.sealing import InvalidToken, Keyring
from tests.core.idempotency.conftest import KEY, SECRET, MakeShelf, ShelfTaken, Workshop


async def test_secret_outcome_is_unreadable_in_the_table_and_read_by_a_replay(workshop: Workshop) -> None:
    first = await workshop.make(secret=True)
    (row,) = await workshop.rows()

    assert row.sealed is True
    assert b"secret-1" not in row.outcome
    assert b"oak" not in row.outcome
    assert await workshop.make(secret=True) == Answer(first.value, replayed=True)


async def test_secret_refusal_is_sealed_too(workshop: Workshop) -> None:
    with suppress(ShelfTaken):
        await workshop.make(fails=ShelfTaken("oak", owner="usr_9", free=0), secret=True)
    (row,) = await workshop.rows()

    assert b"usr_9" not in row.outcome
    with pytest.raises(ShelfTaken, match="oak is taken"):
        await workshop.make(secret=True)


async def test_sealed_outcome_that_was_changed_in_the_table_is_not_believed(workshop: Workshop) -> None:
    await workshop.make(secret=True)
    async with workshop.database.write() as session:
        row = (await session.scalars(select(IdempotencyRow))).one()
        row.outcome = row.outcome[:-8] + b"AAAAAAA="

    with pytest.raises(InvalidToken):
        await workshop.make(secret=True)


async def test_payload_cannot_be_read_or_guessed_from_its_fingerprint(workshop: Workshop) -> None:
    command = MakeShelf("oak")
    await workshop.make(command)
    (row,) = await workshop.rows()

    guesses = [to_json(command), b"MakeShelf\0" + to_json(command), SECRET.encode()]
    assert len(row.fingerprint) == 32
    assert row.fingerprint not in [hashlib.sha256(guess).digest() for guess in guesses]
    stored = b"".join([row.fingerprint, row.outcome, row.principal.encode(), row.key.encode()])
    assert SECRET.encode() not in stored


async def test_fingerprint_depends_on_the_shops_secret_key(workshop: Workshop) -> None:
    await workshop.make(once=replace(KEY, key="one"))
    workshop.keyring = Keyring(SecretStr("another secret key, long enough"))
    await workshop.make(once=replace(KEY, key="two"), process=workshop.another_process())

    one, two = await workshop.rows()

    assert one.fingerprint != two.fingerprint
