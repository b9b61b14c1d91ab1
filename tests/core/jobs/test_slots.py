import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from core.jobs.models import JobRow
from core.jobs.run import JobCancelled, JobRun
from core.jobs.slots import FileSlots, LostSlot, Slot, Slots, TableSlots
from tests.core.jobs.conftest import Shop
from tests.core.jobs.program import Work, note

NewSlots = Callable[[], Slots]


@pytest.fixture
def new_slots(shop: Shop, tmp_path: Path) -> NewSlots:
    """What each of several processes has."""
    if shop.database.dialect == "sqlite":
        return lambda: FileSlots(tmp_path / "slots")
    return lambda: TableSlots(shop.database)


async def test_each_worker_has_a_slot_of_its_own(new_slots: NewSlots) -> None:
    first, second = new_slots(), new_slots()

    slots = [await first.claim(), await second.claim()]

    assert len({slot.number for slot in slots}) == 2
    assert await first.live() == {slot.executor_id for slot in slots}


async def test_slot_that_was_free_is_taken_under_a_new_name(new_slots: NewSlots) -> None:
    first, second = new_slots(), new_slots()
    old = await first.claim()

    await first.release(old)
    new = await second.claim()

    assert new.number == old.number
    assert new.fence > old.fence
    assert await second.live() == {new.executor_id}


async def test_forked_child_does_not_keep_its_dead_parents_slot(tmp_path: Path) -> None:
    program = """
import asyncio, os, sys, time
from pathlib import Path
from core.jobs.slots import FileSlots
slot = asyncio.run(FileSlots(Path(sys.argv[1])).claim())
if os.fork() == 0:
    sys.stdout.close()
    os.close(1)
    time.sleep(3)
    os._exit(0)
print(slot.executor_id, flush=True)
os._exit(0)
"""

    run = subprocess.run(  # noqa: ASYNC221
        [sys.executable, "-c", program, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    slots = FileSlots(tmp_path)

    assert run.stdout.startswith("slot-0.")
    assert await slots.live() == set()
    assert (await slots.claim()).number == 0


async def test_folder_that_was_lost_does_not_bring_old_names_back(tmp_path: Path) -> None:
    before = int(time.time())

    slot = await FileSlots(tmp_path).claim()

    assert slot.fence >= before


@pytest.fixture
def short_lease(postgres_shop: Shop) -> TableSlots:
    return TableSlots(postgres_shop.database, lease_seconds=0.2)


async def test_lease_that_ended_is_lost_when_another_looks(postgres_shop: Shop, short_lease: TableSlots) -> None:
    slot = await short_lease.claim()
    await asyncio.sleep(0.3)

    live = await short_lease.live()

    assert live == set()
    with pytest.raises(LostSlot):
        await short_lease.renew(slot)
    async with postgres_shop.database.write() as session:
        with pytest.raises(LostSlot):
            await short_lease.check(session, slot)


async def test_lease_that_ended_is_taken_by_who_needs_a_slot(short_lease: TableSlots) -> None:
    old = await short_lease.claim()
    await asyncio.sleep(0.3)

    new = await short_lease.claim()

    assert (new.number, new.fence) == (old.number, old.fence + 1)
    with pytest.raises(LostSlot):
        await short_lease.renew(old)


async def test_renewed_lease_is_kept(short_lease: TableSlots) -> None:
    slot = await short_lease.claim()
    for _ in range(4):
        await asyncio.sleep(0.1)
        await short_lease.renew(slot)

    assert await short_lease.live() == {slot.executor_id}


async def test_slot_in_use_is_renewed_and_not_taken_until_its_transaction_ends(postgres_shop: Shop) -> None:
    slots = TableSlots(postgres_shop.database, lease_seconds=1.0)
    slot = await slots.claim()
    async with postgres_shop.database.write() as session:
        await slots.check(session, slot)
        await asyncio.wait_for(slots.renew(slot), 1)
        for _ in range(4):  # busy for longer than the lease, but never idle for half of it
            await asyncio.sleep(0.3)
            await slots.check(session, slot)
        live_in_use = await slots.live()
        other = await slots.claim()
    live_after = await slots.live()

    assert live_in_use == {slot.executor_id}
    assert other.number != slot.number
    assert live_after == {other.executor_id}


async def started_run(shop: Shop, slots: Slots, slot: Slot) -> JobRun:
    """A run of a job as the runner begins it."""
    job = await shop.enqueue(note, Work())
    async with shop.database.write() as session:
        row = await session.get_one(JobRow, job.id)
        row.state, row.attempts = "running", 1
    return JobRun(shop.resources, slots, slot, job_id=job.id, attempt=1, steps={}, checkpoint=None)


async def change(shop: Shop, run: JobRun, **values: object) -> None:
    async with shop.database.write() as session:
        row = await session.get_one(JobRow, run.id)
        for name, value in values.items():
            setattr(row, name, value)


async def test_run_without_its_slot_commits_nothing(postgres_shop: Shop, short_lease: TableSlots) -> None:
    run = await started_run(postgres_shop, short_lease, await short_lease.claim())
    await asyncio.sleep(0.3)
    await short_lease.claim()

    with pytest.raises(LostSlot):
        async with run.transaction() as session:
            await run.save(session, {"seen": True})

    assert await postgres_shop.rows("SELECT checkpoint FROM jobs") == [(None,)]


async def test_run_that_another_attempt_followed_commits_nothing(shop: Shop, new_slots: NewSlots) -> None:
    slots = new_slots()
    run = await started_run(shop, slots, await slots.claim())
    await change(shop, run, attempts=2)

    with pytest.raises(LostSlot):
        async with run.transaction():
            pytest.fail("it was let in")


async def test_cancelled_run_is_let_into_no_transaction(shop: Shop, new_slots: NewSlots) -> None:
    slots = new_slots()
    run = await started_run(shop, slots, await slots.claim())
    await change(shop, run, cancel_requested_at=shop.resources.clock.now())

    with pytest.raises(JobCancelled):
        async with run.transaction():
            pytest.fail("it was let in")
    with pytest.raises(JobCancelled):
        await run.progress(0.5)


async def test_finished_step_is_not_run_again_by_the_next_attempt(shop: Shop, new_slots: NewSlots) -> None:
    slots = new_slots()
    first = await started_run(shop, slots, await slots.claim())
    seen: list[int] = []

    async def action() -> dict[str, int]:
        seen.append(os.getpid())
        return {"number": 7}

    once = await first.step("number", action)
    (steps,) = (await shop.rows("SELECT steps FROM jobs"))[0]
    kept = steps if isinstance(steps, dict) else json.loads(steps)
    second = JobRun(shop.resources, slots, first.slot, job_id=first.id, attempt=1, steps=kept, checkpoint=None)
    twice = await second.step("number", action)

    assert (once, twice) == ({"number": 7}, {"number": 7})
    assert len(seen) == 1
    assert first.once_key("number") == second.once_key("number") == f"{first.id}:number"
