"""Operations of both roads wait for whoever goes first in their process, and answer then as ever."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from tests.fixtures.asgi import Served

PRODUCTS = "products(first: 100) { nodes { handle variants { sku } } }"
NO_LIST = "__schema { queryType { name } }"  # for the executor
OPERATIONS = [f"{{ {fields} }}" for fields in (PRODUCTS, f"{PRODUCTS} {NO_LIST}", NO_LIST)]


async def asked(client: httpx2.AsyncClient, query: str) -> Any:
    return (await client.post("/graphql", json={"query": query})).json()


@pytest.mark.parametrize("query", OPERATIONS)
async def test_operation_waits_while_somebody_goes_first(
    served: Served, client: httpx2.AsyncClient, query: str
) -> None:
    way, gives = served.state["bulkheads"].way, asyncio.Event()
    way._patience = 3600
    give = way.give

    def given(go: Callable[[], None]) -> None:
        gives.set()
        give(go)

    way.give = given
    with way.taken():
        asking, giving = asyncio.create_task(asked(client, query)), asyncio.create_task(gives.wait())
        await asyncio.wait((asking, giving), return_when=asyncio.FIRST_COMPLETED)
        held = not asking.done()

    assert held
    assert "errors" not in await asking


async def test_orders_and_operators_go_first_and_reads_do_not(served: Served, client: httpx2.AsyncClient) -> None:
    way, taken = served.state["bulkheads"].way, []
    enter = way.enter

    def entered() -> None:
        taken.append(path)
        enter()

    way.enter = entered
    for path in ("/public/v1/orders", "/internal/health", "/internal/jobs"):
        await client.request("POST" if path.endswith("orders") else "GET", path)
    for path in ("/public/v2/products", "/graphql"):
        await client.get(path)

    assert taken == ["/public/v1/orders", "/internal/health", "/internal/jobs"]
    assert not way.is_taken
