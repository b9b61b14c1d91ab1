"""What a repeated key answers: the first outcome, for the same payload and while it is kept."""

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from core.database import DuplicateValue
from core.errors import Conflict, Denied, FieldError, Invalid, NotFound, RateLimited, Unavailable
from core.idempotency import RETENTION, IdempotencyKeyReused, forget_expired
from tests.core.idempotency.conftest import KEY, SHELF, MakeShelf, ShelfTaken, Workshop


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
