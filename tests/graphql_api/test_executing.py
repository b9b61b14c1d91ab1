"""The executor does so much in a slice, whatever is asked, and answers the same; while the loop lags, one at a time."""

import asyncio
import gc
from typing import Any

import httpx2
import pytest

from core.bulkheads import Overloaded
from core.loop_lag import LoopLag
from core.settings import ServerSettings, Settings
from core.slices import Slices
from graphql_api.executing import Turns, is_small
from tests.factories.statements import recorded
from tests.fixtures.asgi import Served

PAGE = """{ products(first: 100) { nodes { handle tags category { name }
  variants { sku options { name value } product { handle variants { sku } } } } edges { cursor node { title } } } }"""


class Counted(Slices):
    """Remembers what each slice was asked for."""

    def __init__(self, items: int) -> None:
        super().__init__(items)
        self.slices: list[int] = []

    def _next(self) -> None:
        self.slices.append(self.items - self._left)
        super()._next()


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Every operation takes the executor's road."""
    return settings.model_copy(update={"server": ServerSettings(graphql_plans=False, secret_key=settings.secret_key)})


async def asked(client: httpx2.AsyncClient, query: str = PAGE) -> Any:
    response = await client.post("/graphql", json={"query": query})
    assert response.status_code == 200
    body = response.json()
    assert "errors" not in body
    return body["data"]


@pytest.mark.parametrize("items", [1, 5, 25])
async def test_slices_are_as_small_as_they_should_be_and_answers_are_the_same(
    served: Served, client: httpx2.AsyncClient, items: int
) -> None:
    executing, database = served.state["executing"], served.state["resources"].database
    executing.slices = Counted(1_000_000)
    with recorded(database.reader) as in_one:
        whole = await asked(client)
    executing.slices = counted = Counted(items)

    with recorded(database.reader) as in_slices:
        sliced = await asked(client)

    assert sliced == whole
    assert len(in_slices) == len(in_one)
    assert max(counted.slices) == items
    assert sum(counted.slices) >= 5 * len(whole["products"]["nodes"]) > 250


async def test_many_operations_share_the_slices(served: Served, client: httpx2.AsyncClient) -> None:
    served.state["executing"].slices = counted = Counted(10)

    answers = await asyncio.gather(*(asked(client) for _ in range(5)))

    assert all(answer == answers[0] for answer in answers)
    assert max(counted.slices) <= 10


async def test_introspection_is_sliced_too(served: Served, client: httpx2.AsyncClient) -> None:
    served.state["executing"].slices = counted = Counted(10)

    data = await asked(client, "{ __schema { types { name fields { name args { name } } } } }")

    assert len(data["__schema"]["types"]) > 50
    assert max(counted.slices) <= 10


class Lag(LoopLag):
    lagging = True

    @property
    def lags(self) -> bool:
        return self.lagging


async def test_while_the_loop_lags_one_operation_runs_at_a_time() -> None:
    lag = Lag()
    turns = Turns(lag, 60)
    entered: list[int] = []

    async def enter(number: int) -> None:
        await turns.enter(is_small(1))
        entered.append(number)

    tasks = [asyncio.create_task(enter(number)) for number in range(4)]
    await asyncio.sleep(0)
    first = entered[:]
    turns.leave(is_small(1))
    await asyncio.sleep(0)
    second = entered[:]
    lag.lagging = False
    turns.leave(is_small(1))
    await asyncio.gather(*tasks)

    assert (first, second, entered) == ([0], [0, 1], [0, 1, 2, 3])
    assert turns.running == 2


async def test_of_large_operations_one_executes_at_any_time_and_small_ones_go_on() -> None:
    lag = Lag()
    lag.lagging = False
    turns = Turns(lag, 60)
    small, large = is_small(100), is_small(101)
    await turns.enter(large)

    for _ in range(5):
        await turns.enter(small)
    waiting = asyncio.create_task(turns.enter(large))
    await asyncio.sleep(0)
    assert (turns.running, turns.waiting) == (6, 1)
    turns.leave(small)
    await asyncio.sleep(0)
    assert (turns.running, turns.waiting) == (5, 1)
    turns.leave(large)
    await waiting

    assert (turns.running, turns.waiting) == (5, 0)


async def test_size_of_an_operation_is_what_it_costs(served: Served, client: httpx2.AsyncClient) -> None:
    """A large one waits for another, and a small one does not."""
    turns = served.state["executing"].turns
    await turns.enter(is_small(101))

    waiting = asyncio.create_task(asked(client))
    answered = await asked(client, "{ categories { name } }")
    assert (turns.waiting, waiting.done()) == (1, False)
    turns.leave(is_small(101))

    assert answered["categories"]
    assert (await waiting)["products"]["nodes"]


async def test_what_waits_for_the_garbage_collector_does_not_grow_with_the_page(client: httpx2.AsyncClient) -> None:
    """A full collection stops everybody, for as long as it has objects to look through and to free."""

    async def collected(query: str) -> int:
        await asked(client, query)
        gc.collect()
        gc.disable()
        try:
            await asked(client, query)
            return gc.collect()
        finally:
            gc.enable()

    of_one, of_all = await collected(PAGE.replace("first: 100", "first: 1")), await collected(PAGE)

    assert of_all - of_one < 50


async def test_operation_that_gets_no_turn_is_refused_as_any_overload(
    served: Served, client: httpx2.AsyncClient
) -> None:
    turns = served.state["executing"].turns
    turns.drain()
    turns._lag = Lag()
    await turns.enter()

    response = await client.post("/graphql", json={"query": "{ categories { name } }"})

    assert response.status_code == 503
    assert response.json()["errors"][0]["extensions"]["code"] == Overloaded.code
    assert response.headers["retry-after"] == "1"
    turns.leave()
    assert turns.running == 0
