"""Documents and variables that ask for too much are refused before anything is executed."""

import json
from typing import Any

import httpx2
import pytest

from core.resources import Resources
from graphql_api.limits import MAX_TOKENS, MAX_VALUES
from tests.graphql_api.asking import Ask, error_of
from tests.graphql_api.effort import measured
from tests.graphql_api.hostile import DOCUMENTS, times
from tests.graphql_api.subscribing import connected, run

READ_TWICE = 2  # Strawberry reads what we could not read once more, to say why


@pytest.mark.parametrize(("document", "message"), DOCUMENTS.values(), ids=DOCUMENTS.keys())
async def test_document_is_refused_before_it_runs(ask: Ask, resources: Resources, document: str, message: str) -> None:
    with measured(resources) as effort:
        body = await ask(document)

    assert body["errors"][0]["message"].removesuffix(".") == message.removesuffix(".")
    assert {error["extensions"]["code"] for error in body["errors"]} <= {"invalid_request", "operation_too_costly"}
    assert "data" not in body
    assert (effort.fields, effort.statements) == (0, [])
    assert effort.tokens <= READ_TWICE * (MAX_TOKENS + 1)


@pytest.mark.parametrize(
    "document",
    [
        f"{{ categories {{ {times(45, 'id')} }} }}",
        f"{{ categories {{ {times(45, '... on Category { id }')} }} }}",
        f"{{ categories {{ {times(45, '...F#')} }} }} {times(45, 'fragment F# on Category { id }')}",
        f"{{ categories {{ {times(50, '...F')} }} }} fragment F on Category {{ id id }}",
        f"{{ products(first: 1) {{ {times(31, 'nodes { id }')} }} }}",
    ],
)
async def test_fields_may_be_asked_for_again(ask: Ask, document: str) -> None:
    assert "errors" not in await ask(document)


async def test_fields_of_different_places_are_not_the_same(ask: Ask) -> None:
    groups = times(10, f"a#: products(first: 1) {{ nodes {{ {times(14, 'id')} }} }}")

    assert "errors" not in await ask(f"{{ {groups} }}")


async def test_no_more_tokens_are_read_than_a_document_may_have(ask: Ask, resources: Resources) -> None:
    with measured(resources) as effort:
        await ask("{ " + "id " * 20_000 + "}")

    assert effort.tokens == READ_TWICE * (MAX_TOKENS + 1)


async def test_document_of_so_many_tokens_is_read_once(ask: Ask, resources: Resources) -> None:
    with measured(resources) as effort:
        body = await ask("{ categories { " + "id " * (MAX_TOKENS - 6) + "} }")

    assert "Document contains" not in str(body)
    assert effort.tokens == MAX_TOKENS


@pytest.mark.parametrize("size", [64 * 1024 + 1, 200_000])
async def test_nothing_is_read_of_a_document_that_is_too_long(ask: Ask, resources: Resources, size: int) -> None:
    with measured(resources) as effort:
        body = await ask("{ categories { id } }".ljust(size))

    assert error_of(body)["message"].startswith("Syntax Error: Source contains more than 65536 code points")
    assert effort.tokens == 0


async def test_document_of_a_megabyte_is_413(client: httpx2.AsyncClient, resources: Resources) -> None:
    with measured(resources) as effort:
        response = await client.post("/graphql", json={"query": "{ categories { id } }".ljust(2**20)})

    assert response.status_code == 413
    assert error_of(response.json())["extensions"]["code"] == "content_too_large"
    assert (effort.tokens, effort.fields, effort.statements) == (0, 0, [])


PAGES = (
    "query($n: Int, $m: Int = 100) { a: products(first: $n) { nodes { id } } b: products(first: $m) { nodes { id } } }"
)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"n": 101}, "first is 101; it goes from 1 to 100"),
        ({"n": 0}, "first is 0; it goes from 1 to 100"),
        ({"n": -(2**40)}, f"first is -{2**40}; it goes from 1 to 100"),
        ({"n": 1e3}, "first is 1000; it goes from 1 to 100"),
        ({"m": 101}, "first is 101; it goes from 1 to 100"),
        ({"other": [0] * MAX_VALUES}, "The variables hold more than 10000 values"),
        ({"other": [[{"a": 0}] * 5_000]}, "The variables hold more than 10000 values"),
        ({"other": ["x" * 100] * 2_000 + ["\0"]}, "Text may hold neither NUL nor a lone surrogate"),
    ],
)
async def test_variables_are_refused_before_anything_runs(
    ask: Ask, resources: Resources, variables: dict[str, Any], message: str
) -> None:
    with measured(resources) as effort:
        body = await ask(PAGES, variables)

    assert error_of(body)["message"] == message
    assert error_of(body)["extensions"]["code"] == "invalid_request"
    assert "data" not in body
    assert (effort.fields, effort.statements) == (0, [])


@pytest.mark.parametrize("n", ["1", [1], {"a": 1}, True, 1.5])
async def test_size_of_another_type_is_refused_as_everywhere(ask: Ask, resources: Resources, n: Any) -> None:
    with measured(resources) as effort:
        body = await ask(PAGES, {"n": n})

    assert error_of(body)["message"].startswith("Variable '$n' has invalid value: Int cannot represent")
    assert (effort.fields, effort.statements) == (0, [])


async def test_variables_that_are_nested_a_thousand_deep_are_answered(client: httpx2.AsyncClient) -> None:
    deep = "[" * 900 + "]" * 900
    content = f'{{"query": {json.dumps(PAGES)}, "variables": {{"n": {deep}}}}}'

    response = await client.post("/graphql", content=content, headers={"Content-Type": "application/json"})

    assert error_of(response.json())["extensions"]["code"] == "invalid_request"


async def test_default_that_is_not_used_does_no_harm(ask: Ask) -> None:
    query = "query($n: Int = 1000) { products(first: $n) { nodes { id } } }"

    assert len((await ask(query, {"n": 3}))["data"]["products"]["nodes"]) == 3
    assert error_of(await ask(query))["message"] == "first is 1000; it goes from 1 to 100"


async def test_pages_at_the_bounds_run(ask: Ask) -> None:
    sizes = [
        [len(page["nodes"]) for page in (await ask(PAGES, variables))["data"].values()]
        for variables in ({"n": 1}, {"n": 100, "m": 1.0}, {"n": None}, {"n": 3, "m": None})
    ]

    assert sizes == [[1, 52], [52, 1], [20, 52], [3, 20]]


@pytest.mark.parametrize("name", ["21 aliases", "pages beside pages", "first: 101", "comments"])
async def test_documents_are_refused_over_a_websocket_too(
    client: httpx2.AsyncClient, resources: Resources, name: str
) -> None:
    document, message = DOCUMENTS[name]

    async with connected(client) as socket:
        with measured(resources) as effort:
            answer = await run(socket, document)

    assert (answer["type"], answer["payload"][0]["message"]) == ("error", message)
    assert (effort.fields, effort.statements) == (0, [])
