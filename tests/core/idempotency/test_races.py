"""The same key at once, in one process and in several, and outcomes that are never committed."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from core.database import Database, DatabaseUnavailable
from core.idempotency import Answer, IdempotencyInProgress
from tests.core.idempotency.conftest import KEY, ShelfTaken, Workshop, outcome_of


async def test_one_of_eight_at_once_in_one_process_is_done_and_the_others_are_told_to_wait(workshop: Workshop) -> None:
    results = await asyncio.gather(*(outcome_of(workshop.make(takes_seconds=0.05)) for _ in range(8)))

    waiting = [result for result in results if isinstance(result, IdempotencyInProgress)]
    assert len(waiting) == 7
    assert {(error.retryable, error.retry_after_seconds) for error in waiting} == {(True, 1)}
    assert (workshop.done, await workshop.shelves()) == (1, ["cat_1"])
    assert (await workshop.make()).replayed is True


async def test_one_of_eight_at_once_in_eight_processes_is_done(workshop: Workshop) -> None:
    calls = [workshop.make(process=workshop.another_process(), takes_seconds=0.05) for _ in range(8)]

    results = await asyncio.gather(*map(outcome_of, calls))

    answers = [result for result in results if isinstance(result, Answer)]
    refused = [result for result in results if isinstance(result, IdempotencyInProgress)]
    assert len(answers) + len(refused) == 8
    assert [answer.replayed for answer in answers].count(False) == 1
    assert len({answer.value for answer in answers}) == 1
    assert (workshop.done, await workshop.shelves()) == (1, ["cat_1"])


async def test_key_is_in_progress_in_another_process_until_it_commits(postgres_database: Database) -> None:
    """SQLite has one server process, and one writer at a time."""
    workshop = Workshop(postgres_database)
    finish = asyncio.Event()
    running = await workshop.begin(finish)

    with pytest.raises(IdempotencyInProgress):
        await workshop.make(process=workshop.another_process())

    finish.set()
    first = await running
    assert await workshop.make(process=workshop.another_process()) == Answer(first.value, replayed=True)


async def test_other_keys_do_not_wait(postgres_database: Database) -> None:
    workshop = Workshop(postgres_database)
    finish = asyncio.Event()
    running = await workshop.begin(finish)

    other = await workshop.make(once=replace(KEY, key="key-2"))

    assert other.replayed is False
    finish.set()
    await running


async def test_key_is_free_again_when_its_caller_has_gone(workshop: Workshop) -> None:
    running = await workshop.begin(asyncio.Event())
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running

    answer = await workshop.make()

    assert answer.replayed is False
    assert await workshop.shelves() == ["cat_2"]


@contextmanager
def broken_commit() -> Iterator[None]:
    """The database goes away between the last statement and the commit."""

    def fail(session: Session) -> None:
        if not session.in_nested_transaction():
            raise OperationalError("COMMIT", {}, ConnectionResetError("lost"))

    event.listen(Session, "before_commit", fail)
    try:
        yield
    finally:
        event.remove(Session, "before_commit", fail)


@pytest.mark.parametrize("fails", [None, ShelfTaken("oak", owner="usr_9", free=0)])
async def test_nobody_is_told_an_outcome_that_is_not_committed(workshop: Workshop, fails: Exception | None) -> None:
    with broken_commit(), pytest.raises(DatabaseUnavailable):
        await workshop.make(fails=fails)

    assert (await workshop.shelves(), await workshop.rows()) == ([], [])
    assert (await workshop.make()).replayed is False
