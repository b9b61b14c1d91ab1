"""How runs are kept, on both databases."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from commerce.accounts.principal import ANONYMOUS, Principal
from commerce.assistant import storage
from commerce.assistant.commands import Ask, Said
from commerce.assistant.endings import End, NewEvent, Spent, answered, failed
from commerce.assistant.entities import Corrections, Run, RunEvent
from commerce.assistant.errors import RunNotFound, RunOverdue
from commerce.assistant.feed import RunFeed
from commerce.assistant.repository import RunRepository
from commerce.assistant.storage import LostRun
from core.database import Database
from core.hub.memory import MemoryHub
from core.inference.provenance import Provenance
from tests.factories.clocks import NOON

LEASE = timedelta(seconds=20)
BY = Provenance("m", "1", "sha256:00", trained_at=NOON, fallback_reason="model_timeout")


class Book:
    def __init__(self, database: Database) -> None:
        self.database = database

    async def create(self, run_id: str, owner: str | None = None) -> None:
        async with self.database.write() as session:
            ask = Ask((Said("user", "hello"),))
            await storage.create(session, run_id, ask, owner, runner="here", now=NOON, lease=LEASE)

    async def say(self, run_id: str, *texts: str, runner: str = "here", end: End | None = None) -> None:
        async with self.database.write() as session:
            said: list[NewEvent] = [("token", {"text": text}) for text in texts]
            await storage.append(
                session,
                run_id,
                runner,
                said,
                spent=Spent(3, 2),
                provenance=BY,
                end=end,
                now=NOON,
            )

    async def sweep(self, **later: float) -> list[str]:
        async with self.database.write() as session:
            return await storage.sweep(session, NOON + timedelta(**later))

    async def cancel(self, run_id: str) -> None:
        async with self.database.write() as session:
            await storage.ask_to_cancel(session, run_id)

    async def run(self, run_id: str) -> Run:
        async with self.database.read() as session:
            found = await RunRepository(session).find(run_id)
        assert found is not None
        return found

    async def events(self, run_id: str, after: int = 0) -> list[RunEvent]:
        async with self.database.read() as session:
            return await RunRepository(session).events_after(run_id, after)


@pytest.fixture
def book(database: Database) -> Book:
    return Book(database)


def texts(events: Sequence[RunEvent]) -> list[tuple[int, str]]:
    return [(each.number, each.data.get("text", each.type)) for each in events]


async def test_events_are_numbered_without_a_gap(book: Book) -> None:
    await book.create("run_1")
    await book.create("run_2")

    await asyncio.gather(*(book.say("run_1", str(number), "x") for number in range(10)), book.say("run_2", "other"))
    await book.say("run_1", "last", end=answered("stop", Spent(3, 2), BY, Corrections()))

    events = await book.events("run_1")
    run = await book.run("run_1")
    assert [each.number for each in events] == list(range(1, 23))
    assert texts(await book.events("run_1", 20)) == [(21, "last"), (22, "done")]
    assert texts(await book.events("run_2")) == [(1, "other")]
    assert (run.state, run.events, run.provenance, run.ended_at) == ("done", 22, BY, NOON)
    assert (run.prompt_tokens, run.completion_tokens) == (3, 2)


async def test_only_who_runs_it_appends_and_only_until_its_end(book: Book) -> None:
    await book.create("run_1")

    with pytest.raises(LostRun):
        await book.say("run_1", "not mine", runner="there")
    await book.say("run_1", "mine", end=failed(RunOverdue()))
    with pytest.raises(LostRun):
        await book.say("run_1", "too late")
    with pytest.raises(LostRun):
        await book.say("run_nothing", "nobody's")

    assert texts(await book.events("run_1")) == [(1, "mine"), (2, "error")]
    assert ((await book.run("run_1")).error_code, (await book.run("run_1")).events) == ("run_overdue", 2)


async def test_run_whose_lease_is_over_ends_as_interrupted(book: Book) -> None:
    for run_id in ("run_dead", "run_cancelled", "run_alive", "run_done"):
        await book.create(run_id)
        await book.say(run_id, "so far")
    await book.cancel("run_cancelled")
    await book.say("run_done", end=answered("stop", Spent(), BY, Corrections()))
    async with book.database.write() as session:
        await storage.renew(session, ["run_alive"], NOON + 2 * LEASE)

    early = await book.sweep(seconds=19)
    swept = await book.sweep(seconds=21)
    again = await book.sweep(seconds=21)

    assert (early, sorted(swept), again) == ([], ["run_cancelled", "run_dead"], [])
    dead, cancelled = [(await book.events(run_id))[-1] for run_id in ("run_dead", "run_cancelled")]
    assert (dead.number, dead.type, dead.data["code"], dead.data["retryable"]) == (2, "error", "run_interrupted", True)
    assert (cancelled.number, cancelled.type, cancelled.data["state"]) == (2, "done", "cancelled")
    assert cancelled.data["fallback_reason"] == "model_timeout"
    assert [(await book.run(each)).state for each in ("run_dead", "run_cancelled", "run_alive", "run_done")] == [
        "error", "cancelled", "queued", "done",
    ]  # fmt: skip
    with pytest.raises(LostRun):  # a process that was only frozen says no more
        await book.say("run_dead", "I am back")


async def test_run_is_found_by_its_owner(book: Book) -> None:
    await book.create("run_1", "user:u1")
    await book.create("run_2")
    owner, other = Principal("user", "u1", user_id="u1"), Principal("api_key", "k1", user_id="u1")

    async with book.database.read() as session:
        repository = RunRepository(session)
        assert (await repository.get("run_1", owner)).id == "run_1"
        assert [(await repository.get("run_2", each)).id for each in (owner, other, ANONYMOUS)] == ["run_2"] * 3
        for each in (other, ANONYMOUS):
            with pytest.raises(RunNotFound):
                await repository.get("run_1", each)


async def test_old_runs_and_those_of_a_deleted_user_are_forgotten(book: Book) -> None:
    await book.create("run_1", "user:u1")
    await book.create("run_2", "user:u2")
    await book.say("run_1", "secret")

    async with book.database.write() as session:
        await storage.forget_of(session, ["user:u1", "api_key:k1"])
    assert await book.events("run_1") == []
    async with book.database.write() as session:
        assert await storage.forget_old(session, NOON) == 0
        assert await storage.forget_old(session, NOON + timedelta(seconds=1)) == 1
    async with book.database.read() as session:
        assert [await RunRepository(session).find(each) for each in ("run_1", "run_2")] == [None, None]


@pytest.mark.parametrize("woken", [True, False])
async def test_reader_gets_what_comes(book: Book, woken: bool) -> None:
    """By a wake-up, without a look; and by a look, where no wake-up comes."""
    hub = MemoryHub()
    if woken:
        book.database.on_announced = hub.publish
    await book.create("run_1")
    await book.say("run_1", "before")
    async with RunFeed(book.database, hub, "run_1", look_seconds=3600 if woken else 0.01) as feed:
        first = await feed.take(20)
        coming = asyncio.create_task(feed.take(20))
        await asyncio.sleep(0.05)
        await book.say("run_1", "then", end=failed(RunOverdue()))
        async with asyncio.timeout(20):
            rest = await coming
        nothing = await feed.take(20)

    assert texts([*first, *rest]) == [(1, "before"), (2, "then"), (3, "error")]
    assert (nothing, feed.ended) == ([], True)
