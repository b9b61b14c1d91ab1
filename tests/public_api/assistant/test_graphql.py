"""A run over GraphQL is the run over REST."""

import asyncio
from typing import Any

import pytest

from commerce.catalog.entities import Product
from core.inference.chat import ModelUnavailable
from tests.factories.chat import Step, a_call
from tests.fixtures.asgi import Served, client_of
from tests.graphql_api.subscribing import connected, subscribe, updates
from tests.public_api.assistant.asking import Desk, Headers

ASSISTANT = """subscription($runId: ID!, $after: Int! = 0) {
  assistant(runId: $runId, after: $after) {
    runId number type text
    card { productId handle title price { amount currency }
      priceRange { min { amount currency } max { amount currency } }
      available url image { url alt } }
    result { state finishReason answerId model version contentHash trainedAt featuresAsOf fallback fallbackReason
      usage { promptTokens completionTokens } corrections { amounts products } }
    failure { code title detail retryable }
  }
}"""


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.title, rest))


def camelled(value: Any) -> Any:
    return {camel(name): camelled(each) for name, each in value.items()} if isinstance(value, dict) else value


def as_rest(event: dict[str, Any]) -> dict[str, Any]:
    """What REST says of it, in GraphQL's names."""
    data = {"token": {"text": event["text"]}, "card": event["card"], "done": event["result"], "error": event["failure"]}
    return {"number": event["number"], "type": event["type"], "data": {"runId": event["runId"], **data[event["type"]]}}


async def followed(desk: Desk, number: int, headers: Headers | None = None, **variables: Any) -> list[dict[str, Any]]:
    async with (
        client_of(Served(desk.running.server.config.loaded_app, desk.running.state)) as client,
        connected(client, headers=headers) as socket,
    ):
        await subscribe(socket, ASSISTANT, **variables)
        found = await updates(socket, number)
        assert (await socket.receive_json())["type"] == "complete"
    return found


@pytest.mark.parametrize("failing", [False, True])
async def test_subscription_says_what_rest_says(desk: Desk, products: dict[str, Product], failing: bool) -> None:
    said = f"Take the [[{products['rain-jacket'].head.id}]] for $1."
    answer: list[Step] = [said, ModelUnavailable("gone")] if failing else [said]
    desk.scripted([a_call("search_products", query="jacket")], answer)
    async with desk.stream("a jacket") as source:
        await source.rest()
        run_id = source.response.headers["location"].split("/")[-2]

    rest = (await desk.events(run_id))["items"]
    graphql = await followed(desk, len(rest), runId=run_id)
    later = await followed(desk, len(rest) - 1, runId=run_id, after=1)

    assert [as_rest(each) for each in graphql] == [camelled(each) for each in rest]
    assert later == graphql[1:]
    assert rest[-1]["type"] == ("error" if failing else "done")


async def test_subscription_goes_on_with_the_run(desk: Desk) -> None:
    gate = asyncio.Event()
    desk.scripted(["so ", "far ", gate, "so good."])
    async with desk.stream("go on") as source:
        await source.take(1)
        run_id = source.response.headers["location"].split("/")[-2]

    following = asyncio.create_task(followed(desk, 3, runId=run_id))
    await asyncio.sleep(0)
    gate.set()
    events = await following

    assert [each["number"] for each in events] == [1, 2, 3]
    assert "".join(each["text"] or "" for each in events) == "so far so good."


async def test_subscription_to_anothers_run_finds_none(desk: Desk, customer: Headers, stranger: Headers) -> None:
    run_id = (await desk.answer("a jacket", customer))["run_id"]

    async with (
        client_of(Served(desk.running.server.config.loaded_app, desk.running.state)) as client,
        connected(client, headers=stranger) as socket,
    ):
        await subscribe(socket, ASSISTANT, runId=run_id)
        message = await socket.receive_json()

    assert message["type"] == "error"
    assert message["payload"][0]["extensions"]["code"] == "assistant_run_not_found"
