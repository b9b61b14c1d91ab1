"""Commands that are done once: replays, refusals, races and secrets, on both databases."""

import asyncio
import hashlib
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr, TypeAdapter
from pydantic_core import to_json
from sqlalchemy import event, insert, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from commerce.catalog.models import CategoryRow
from core.database import Database, DatabaseUnavailable, DuplicateValue, WriteSession
from core.errors import Conflict, Denied, FieldError, Invalid, NotFound, RateLimited, Unavailable
from core.idempotency import (
    RETENTION,
    Answer,
    Idempotency,
    IdempotencyInProgress,
    IdempotencyKeyReused,
    IdempotencyRow,
    OnceKey,
    forget_expired,
)
from core.sealing import InvalidToken, Keyring
from tests.factories.clocks import FakeClock

KEY = OnceKey("user:usr_1", "key-1")
SECRET = "4532 0151 1283 0366"


@dataclass(frozen=True, slots=True)
class MakeShelf:
    name: str
    card: str = field(default=SECRET, repr=False)


@dataclass(frozen=True, slots=True)
class Shelf:
    id: str
    name: str
    made_at: datetime
    secret: str
    boards: tuple[int, ...] = (1, 2)


SHELF = TypeAdapter(Shelf)


class ShelfTaken(Conflict):
    """Somebody else has this shelf, and it is the only one of its kind."""

    code = "shelf_taken"
    title = "Shelf taken"

    def __init__(self, name: str, *, owner: str, free: int) -> None:
        super().__init__(f"{name} is taken", errors=(FieldError("/name", self.code, "is taken"),))
        self.owner = owner
        self.free = free


class Workshop:
    """Makes shelves, each a row; counts how often it is really done."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = FakeClock()
        self.keyring = Keyring(SecretStr("a secret key for these tests"))
        self.idempotency = self.another_process()
        self.done = 0
        self.begun = asyncio.Event()

    def another_process(self) -> Idempotency:
        return Idempotency(self.database, self.clock, self.keyring)

    async def make(
        self,
        command: MakeShelf | None = None,
        once: OnceKey | None = KEY,
        *,
        process: Idempotency | None = None,
        takes_seconds: float = 0,
        until: asyncio.Event | None = None,
        fails: Exception | None = None,
        secret: bool = False,
    ) -> Answer[Shelf]:
        command = command or MakeShelf("oak")

        async def action(session: WriteSession) -> Shelf:
            self.done += 1
            self.begun.set()
            number = self.done
            values = {"id": f"cat_{number}", "name": f"{command.name}-{number}", "slug": f"{command.name}-{number}"}
            await session.execute(insert(CategoryRow).values(**values))
            await asyncio.sleep(takes_seconds)
            if until is not None:
                await until.wait()
            if fails is not None:
                raise fails
            return Shelf(f"cat_{number}", command.name, self.clock.now(), f"secret-{number}")

        return await (process or self.idempotency).run(once, command, action, SHELF, secret=secret)

    async def begin(self, until: asyncio.Event) -> "asyncio.Task[Answer[Shelf]]":
        """A call that is in the middle of its work, and stays there."""
        task = asyncio.create_task(self.make(until=until))
        await self.begun.wait()
        return task

    async def shelves(self) -> list[str]:
        async with self.database.read() as session:
            return list(await session.scalars(select(CategoryRow.id).order_by(CategoryRow.id)))

    async def rows(self) -> list[IdempotencyRow]:
        async with self.database.read() as session:
            return list(await session.scalars(select(IdempotencyRow).order_by(IdempotencyRow.key)))


@pytest.fixture
def workshop(database: Database) -> Workshop:
    return Workshop(database)


async def outcome_of(call: Awaitable[Any]) -> Any:
    try:
        return await call
    except Exception as error:  # noqa: BLE001  the test looks at it
        return error


async def test_same_key_is_done_once_and_answered_alike(workshop: Workshop) -> None:
    first = await workshop.make()
    workshop.clock.advance(hours=1)
    again = await workshop.make()

    assert again.value == first.value
    assert SHELF.dump_json(again.value) == SHELF.dump_json(first.value)
    assert (first.replayed, again.replayed) == (False, True)
    assert workshop.done == 1
    assert await workshop.shelves() == ["cat_1"]


async def test_without_a_key_each_call_is_done(workshop: Workshop) -> None:
    for _ in range(2):
        assert (await workshop.make(once=None)).replayed is False

    assert await workshop.shelves() == ["cat_1", "cat_2"]
    assert await workshop.rows() == []


async def test_key_used_for_another_payload_is_refused_and_nothing_is_done(workshop: Workshop) -> None:
    first = await workshop.make(MakeShelf("oak"))

    with pytest.raises(IdempotencyKeyReused) as refused:
        await workshop.make(MakeShelf("elm"))

    assert [fault.pointer for fault in refused.value.errors] == ["/header/Idempotency-Key"]
    assert (workshop.done, await workshop.shelves()) == (1, ["cat_1"])
    assert (await workshop.make(MakeShelf("oak"))).value == first.value


async def test_payload_that_differs_only_where_no_log_looks_is_another_payload(workshop: Workshop) -> None:
    await workshop.make(MakeShelf("oak"))

    with pytest.raises(IdempotencyKeyReused):
        await workshop.make(MakeShelf("oak", card="0000"))


async def test_key_used_for_another_command_of_equal_fields_is_refused(workshop: Workshop) -> None:
    @dataclass(frozen=True, slots=True)
    class BreakShelf(MakeShelf):
        pass

    await workshop.make(MakeShelf("oak"))

    with pytest.raises(IdempotencyKeyReused):
        await workshop.make(BreakShelf("oak"))


async def test_keys_of_two_principals_are_independent(workshop: Workshop) -> None:
    mine = await workshop.make(MakeShelf("oak"), KEY)
    theirs = await workshop.make(MakeShelf("elm"), replace(KEY, principal="user:usr_2"))
    other = await workshop.make(MakeShelf("fir"), replace(KEY, key="key-2"))

    assert [answer.value.id for answer in (mine, theirs, other)] == ["cat_1", "cat_2", "cat_3"]
    assert (await workshop.make(MakeShelf("elm"), replace(KEY, principal="user:usr_2"))).value == theirs.value


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


@pytest.mark.parametrize("kind", [Conflict, Denied, Invalid, NotFound])
async def test_refusal_is_kept_and_leaves_nothing_behind(workshop: Workshop, kind: type[Conflict]) -> None:
    fault = FieldError("/name", "odd", "é is odd")

    with pytest.raises(kind) as first:
        await workshop.make(fails=kind("no oak", errors=(fault,)))
    with pytest.raises(kind) as again:
        await workshop.make()

    assert type(again.value) is type(first.value)
    assert (again.value.detail, again.value.errors) == ("no oak", (fault,))
    assert (first.value.replayed, again.value.replayed) == (False, True)
    assert (workshop.done, await workshop.shelves()) == (1, [])


async def test_fields_of_a_refusal_survive_a_replay(workshop: Workshop) -> None:
    with suppress(ShelfTaken):
        await workshop.make(fails=ShelfTaken("oak", owner="usr_9", free=0))

    with pytest.raises(ShelfTaken) as again:
        await workshop.make()

    assert vars(again.value) == vars(ShelfTaken("oak", owner="usr_9", free=0)) | {"replayed": True}
    assert str(again.value) == "oak is taken"


@pytest.mark.parametrize("failure", [RuntimeError("a bug"), Unavailable("away"), RateLimited("later")])
async def test_failure_that_may_go_better_is_not_kept(workshop: Workshop, failure: Exception) -> None:
    with pytest.raises(type(failure)):
        await workshop.make(fails=failure)
    assert (await workshop.shelves(), await workshop.rows()) == ([], [])

    answer = await workshop.make()

    assert answer.replayed is False
    assert await workshop.shelves() == ["cat_2"]


async def test_write_that_the_database_refuses_is_not_kept(workshop: Workshop) -> None:
    await workshop.make(once=replace(KEY, key="other"))
    workshop.done = 0  # the next has the id of the one before

    with pytest.raises(DuplicateValue):
        await workshop.make()

    assert [row.key for row in await workshop.rows()] == ["other"]
    assert (await workshop.make()).value.id == "cat_2"


async def test_key_is_free_again_when_its_caller_has_gone(workshop: Workshop) -> None:
    running = await workshop.begin(asyncio.Event())
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running

    answer = await workshop.make()

    assert answer.replayed is False
    assert await workshop.shelves() == ["cat_2"]


async def test_key_is_kept_for_48_hours_and_then_it_is_new(workshop: Workshop) -> None:
    assert timedelta(hours=48) == RETENTION
    await workshop.make()

    workshop.clock.advance(hours=47, minutes=59, seconds=59)
    assert (await workshop.make()).replayed is True
    workshop.clock.advance(seconds=1)
    late = await workshop.make(MakeShelf("elm"))

    assert late.replayed is False
    assert await workshop.shelves() == ["cat_1", "cat_2"]
    assert (await workshop.make(MakeShelf("elm"))).value == late.value


async def test_expired_keys_are_forgotten_and_no_others(workshop: Workshop) -> None:
    await workshop.make(once=replace(KEY, key="old"))
    workshop.clock.advance(hours=1)
    await workshop.make(once=replace(KEY, key="young"))
    workshop.clock.advance(hours=47)

    async with workshop.database.write() as session:
        await forget_expired(session, workshop.clock.now())

    assert [row.key for row in await workshop.rows()] == ["young"]


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
