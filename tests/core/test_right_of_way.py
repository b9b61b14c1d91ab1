"""Whoever goes first holds up what is long, for a bounded time, and nobody else."""

import asyncio

from core.right_of_way import RightOfWay
from core.slices import Slices

FOR_EVER = 3600.0


async def rounds() -> None:
    """Of the loop: more than anything takes that is ready."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_nothing_long_begins_while_somebody_goes_first() -> None:
    way = RightOfWay(FOR_EVER)
    slices = Slices(10, way=way)
    way.enter()
    way.enter()

    turn = asyncio.create_task(slices.turn(10))
    await rounds()
    held_by_two = turn.done()
    way.leave()
    await rounds()
    held_by_one = turn.done()
    way.leave()
    await rounds()

    assert (held_by_two, held_by_one, turn.done()) == (False, False, True)


async def test_what_has_begun_goes_on_and_its_rest_gives_way() -> None:
    way = RightOfWay(FOR_EVER)
    slices = Slices(10, way=way)
    first, second = (asyncio.create_task(slices.turn(10)) for _ in range(2))
    await asyncio.sleep(0)

    with way.taken():
        await rounds()
        begun = first.done(), second.done()
    await rounds()

    assert begun == (True, False)
    assert second.done()


async def test_patience_ends_after_each_slice_anew() -> None:
    way = RightOfWay(0.001)
    slices = Slices(10, way=way)

    with way.taken():
        await asyncio.gather(*(slices.turn(10) for _ in range(3)))

    assert not way.is_taken
    assert slices.take(10)


async def test_who_left_the_line_meanwhile_takes_nothing() -> None:
    way = RightOfWay(FOR_EVER)
    slices = Slices(10, way=way)
    with way.taken():
        leaving, staying = (asyncio.create_task(slices.turn(10)) for _ in range(2))
        await rounds()
        leaving.cancel()
        await rounds()
    await rounds()

    assert staying.done()
