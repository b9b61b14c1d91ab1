import asyncio

import pytest

from core.single_flight import SingleFlight


class Maker:
    def __init__(self, *, fails: bool = False) -> None:
        self.made = 0
        self._fails = fails

    async def make(self) -> int:
        self.made += 1
        await asyncio.sleep(0.05)
        if self._fails:
            raise ValueError("cannot")
        return self.made


async def test_all_who_ask_at_once_get_what_is_made_once() -> None:
    flights, maker = SingleFlight(), Maker()

    results = await asyncio.gather(*(flights.run("key", maker.make) for _ in range(50)))

    assert results == [1] * 50
    assert await flights.run("key", maker.make) == 2


async def test_other_things_are_made_beside_it() -> None:
    flights, maker = SingleFlight(), Maker()

    await asyncio.gather(*(flights.run(str(number), maker.make) for number in range(3)))

    assert maker.made == 3


async def test_all_who_wait_get_the_error_and_the_next_may_succeed() -> None:
    flights = SingleFlight()

    results = await asyncio.gather(
        *(flights.run("key", Maker(fails=True).make) for _ in range(3)), return_exceptions=True
    )

    assert [str(result) for result in results] == ["cannot"] * 3
    assert await flights.run("key", Maker().make) == 1


async def test_what_was_begun_is_finished_for_those_who_stay() -> None:
    flights, maker = SingleFlight(), Maker()
    first = asyncio.ensure_future(flights.run("key", maker.make))
    second = asyncio.ensure_future(flights.run("key", maker.make))
    await asyncio.sleep(0)
    first.cancel()

    assert await second == 1
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_settling_waits_for_what_nobody_waits_for_any_more() -> None:
    flights, maker = SingleFlight(), Maker(fails=True)
    left = asyncio.ensure_future(flights.run("key", maker.make))
    await asyncio.sleep(0)
    left.cancel()
    await asyncio.sleep(0)

    await flights.settle()

    assert maker.made == 1
    assert flights._running == {}


async def test_who_asks_when_it_has_just_been_made_gets_what_is_made_anew() -> None:
    flights = SingleFlight()
    late: list[asyncio.Task[str]] = []

    async def make() -> str:
        late.append(asyncio.create_task(flights.run("key", second)))  # runs when this is done, and not forgotten yet
        return "first"

    async def second() -> str:
        return "second"

    assert await flights.run("key", make) == "first"
    assert await late[0] == "second"
    assert flights._running == {}


async def test_what_is_made_anew_is_not_forgotten_with_what_was_made_before() -> None:
    flights, gate = SingleFlight(), asyncio.Event()
    late: list[asyncio.Task[str]] = []
    begun: list[str] = []

    async def make() -> str:
        late.append(asyncio.create_task(flights.run("key", second)))
        return "first"

    async def second() -> str:
        begun.append("second")
        await gate.wait()
        return "second"

    await flights.run("key", make)
    late.append(asyncio.create_task(flights.run("key", second)))
    await asyncio.sleep(0)
    gate.set()

    assert await asyncio.gather(*late) == ["second", "second"]
    assert begun == ["second"]


class Held:
    """Is never made; `ended` when it is cancelled."""

    def __init__(self) -> None:
        self.begun = 0
        self.ended = asyncio.Event()

    async def make(self) -> int:
        self.begun += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.set()
        return 0


async def test_what_need_not_be_finished_ends_with_the_last_who_waits() -> None:
    flights, held = SingleFlight(), Held()
    first = asyncio.ensure_future(flights.run("key", held.make, finish=False))
    second = asyncio.ensure_future(flights.run("key", held.make, finish=False))
    await asyncio.sleep(0)

    first.cancel()
    await asyncio.wait([first])
    assert not held.ended.is_set()
    second.cancel()
    await asyncio.wait([second])

    await held.ended.wait()
    await flights.settle()
    assert held.begun == 1


async def test_who_comes_when_all_have_left_begins_anew() -> None:
    flights, held, maker = SingleFlight(), Held(), Maker()
    gone = asyncio.ensure_future(flights.run("key", held.make, finish=False))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)

    assert await flights.run("key", maker.make, finish=False) == 1

    await asyncio.wait([gone])
    assert held.begun == 1
