"""So many items in one round of the event loop, whoever asks, and everybody else between two rounds."""

import asyncio

from prometheus_client import REGISTRY

from core.slices import Slices


class Rounds:
    """Counts the rounds of the loop, and what is done in each."""

    def __init__(self, slices: Slices) -> None:
        self.slices = slices
        self.done: dict[int, int] = {}
        self._round = 0

    async def count(self) -> None:
        while True:
            self._round += 1
            await asyncio.sleep(0)

    async def work(self, items: int) -> None:
        await self.slices.turn(items)
        self.done[self._round] = self.done.get(self._round, 0) + items


async def played(slices: Slices, works: list[int]) -> list[int]:
    """What was done in each round that had something to do."""
    rounds = Rounds(slices)
    counting = asyncio.create_task(rounds.count())
    await asyncio.gather(*(rounds.work(items) for items in works))
    counting.cancel()
    return list(rounds.done.values())


async def test_each_round_has_so_many_items_of_all_who_ask() -> None:
    assert await played(Slices(10), [1] * 35) == [10, 10, 10, 5]


async def test_lists_that_do_not_fit_wait_for_the_next_round() -> None:
    assert await played(Slices(10), [6, 6, 3, 10, 1]) == [6, 9, 10, 1]


async def test_more_than_a_round_has_is_not_taken() -> None:
    slices = Slices(10)

    assert not slices.take(11)
    assert slices.take(10)


async def test_who_has_left_the_line_takes_nothing() -> None:
    slices = Slices(1)
    first, second, third = (asyncio.create_task(slices.turn()) for _ in range(3))
    await asyncio.sleep(0)

    second.cancel()
    await asyncio.gather(first, third)

    assert second.cancelled()


async def test_slices_are_timed_and_the_longest_is_told() -> None:
    times = iter([0.0, 0.25, 0.25, 0.26])
    slices = Slices(1, now=lambda: next(times))
    before = REGISTRY.get_sample_value("portico_graphql_slice_seconds_count") or 0.0

    await slices.turn()
    await slices.turn()
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert (REGISTRY.get_sample_value("portico_graphql_slice_seconds_count") or 0.0) - before == 2
    assert REGISTRY.get_sample_value("portico_graphql_slice_seconds_max") == 0.25


async def test_longest_slice_and_the_most_of_the_processor_are_published() -> None:
    times, cpu = iter([0.0, 2000.0, 2000.0, 3000.0]), iter([0.0, 500.0, 500.0, 1700.0])
    slices = Slices(10, now=lambda: next(times), cpu=lambda: next(cpu))

    for _ in range(2):
        await slices.turn()
        await asyncio.sleep(0)

    assert REGISTRY.get_sample_value("portico_graphql_slice_seconds_max") == 2000
    assert REGISTRY.get_sample_value("portico_graphql_slice_cpu_seconds_max") == 1200
