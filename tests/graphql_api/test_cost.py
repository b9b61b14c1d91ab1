"""What operations cost, and that the schema says how."""

from contextlib import AsyncExitStack
from typing import Any

import httpx2
import pytest
from graphql import (
    GraphQLField,
    GraphQLList,
    GraphQLObjectType,
    get_introspection_query,
    get_named_type,
    get_nullable_type,
    is_composite_type,
)
from graphql import build_schema as build_sdl

from core.resources import Resources
from graphql_api.cost import price_of
from graphql_api.cost_directives import Cost, ListSize
from graphql_api.schema import build_schema
from tests.fixtures.asgi import Served
from tests.graphql_api.asking import error_of
from tests.graphql_api.effort import measured
from tests.graphql_api.hostile import chain
from tests.graphql_api.subscribing import (
    PRODUCTS,
    connected,
    feeds,
    product_named,
    retitle,
    run,
    streamed,
    subscribe,
    until,
)

B = " fragment B on ProductConnection { nodes { id } }"
SCHEMA = build_schema(production=False)._schema


def cost_of(text: str, operation: str | None = None, **variables: Any) -> int:
    return price_of(SCHEMA, text, operation).points(variables)


@pytest.mark.parametrize(
    ("document", "points"),
    [
        ("{ __typename }", 1),
        ('{ product(id: "x") { id title tags } }', 1),
        ('{ product(id: "x") { category { name } priceRange { min { amount } max { amount } } } }', 1 + 1 + 3),
        ("{ categories { id name } }", 50),
        ("{ products { totalCount } }", 1 + 20),
        ("{ products { pageInfo { endCursor } } }", 1 + 1),
        ("{ products { nodes { id } } }", 1 + 20),
        ("{ products(first: null) { nodes { id } } }", 1 + 20),
        ("{ products(first: 3) { nodes { id } } }", 1 + 3),
        ("{ products(first: 3) { edges { cursor node { id } } } }", 1 + 3 * 2),
        ("{ products(first: 3) { nodes { id } edges { node { id } } } }", 1 + 3 + 3 * 2),
        (
            "{ products(first: 3) { nodes { variants { price { amount } options { name } } } } }",
            1 + 3 * (1 + 5 * (1 + 1 + 2)),
        ),
        ("{ a: products(first: 3) { nodes { id } } b: products(first: 4) { nodes { id } } }", 1 + 3 + 1 + 4),
        (
            "{ orders(first: 2) { nodes { lines { total { amount } } payments { id } shipments { id } } } }",
            1 + 2 * (1 + 5 * 2 + 2 + 2),
        ),
        ('{ nodes(ids: ["a", "b", "c"]) { id } }', 3),
        ('{ nodes(ids: "a") { id } }', 1),
        ("{ nodes(ids: []) { id } }", 1),
        ("{ products(first: 3) { nodes { id @skip(if: true) category @include(if: false) { id } } } }", 1 + 3 * 2),
        (
            "{ ...A } fragment A on Query { products(first: 3) { ...B } }" + B,
            1 + 3,
        ),
        (
            "{ a: products(first: 3) { ...B } b: products(first: 5) { ...B } }" + B,
            1 + 3 + 1 + 5,
        ),
        ("{ __schema { types { name fields { args { name } type { ofType { name } } } } } }", 100 * (1 + 10 * (1 + 2))),
    ],
)
def test_operation_costs_its_objects(document: str, points: int) -> None:
    assert cost_of(document) == points


@pytest.mark.parametrize(
    ("selection", "points"),
    [
        ("id", 1),
        ("... on Product { category { id } }", 2),
        ("... on Product { category { id } } ... on Order { lines { sku } }", 1 + 5),
        ("... on Product { variants { id } images { id } } ... on Order { lines { sku } }", 1 + 5 + 5),
        ("... on Node { ... on Product { category { id } } ... on Order { total { amount } } }", 1 + 1),
    ],
)
def test_dearest_member_of_an_interface_counts(selection: str, points: int) -> None:
    assert cost_of(f'{{ node(id: "x") {{ {selection} }} }}') == points


def test_dearest_member_of_a_union_counts() -> None:
    document = """mutation($input: PlaceOrderInput!) { placeOrder(input: $input, idempotencyKey: "k") {
      ... on Order { lines { sku } total { amount } }
      ... on OutOfStock { sku }
      ... on UserError { errors { code } }
    } }"""

    assert cost_of(document) == 10 + 5 + 1


@pytest.mark.parametrize(
    ("variables", "points"),
    [({}, 1 + 7 * 2 + 20), ({"n": 3}, 1 + 3 * 2 + 20), ({"n": 100}, 1 + 200 + 20), ({"n": None}, 1 + 20 * 2 + 20)],
)
def test_variables_count_as_they_are_sent(variables: dict[str, Any], points: int) -> None:
    document = "query($n: Int = 7) { products(first: $n) { nodes { category { id } } totalCount } }"

    assert cost_of(document, **variables) == points


def test_list_that_a_variable_holds_counts_by_its_length() -> None:
    document = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Product { variants { id } } } }"

    assert [cost_of(document, ids=ids) for ids in (["a", "b"], "a", [])] == [2 * 6, 6, 1]


def test_named_operation_alone_counts() -> None:
    document = "query A { categories { id } } query B { products(first: 2) { nodes { id } } }"

    assert [cost_of(document, name) for name in ("A", "B")] == [50, 3]


def test_fragment_counts_as_often_as_it_is_spread_in_linear_time() -> None:
    document = "query($n: Int) { products(first: $n) { nodes { ...F0 } } } " + chain("Product", 80, "category { id }")

    assert cost_of(document, n=2) == 1 + 2 * (1 + 2**80)


def test_introspection_query_of_the_ide_is_allowed() -> None:
    assert cost_of(get_introspection_query(input_value_deprecation=True, directive_is_repeatable=True)) <= 10_000


def _object_fields() -> list[tuple[str, str, GraphQLField]]:
    return [
        (kind.name, name, field)
        for kind in SCHEMA.type_map.values()
        if isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__")
        for name, field in kind.fields.items()
    ]


def _stated(field: GraphQLField, kind: type) -> list[Any]:
    return [each for each in field.extensions["strawberry-definition"].directives if isinstance(each, kind)]


def test_every_list_of_objects_says_its_size_in_the_schema() -> None:
    sized_above = {
        (get_named_type(field.type).name, name)
        for _, _, field in _object_fields()
        for listing in _stated(field, ListSize)
        for name in (listing.sized_fields or ())
    }
    silent = [
        f"{kind}.{name}"
        for kind, name, field in _object_fields()
        if isinstance(get_nullable_type(field.type), GraphQLList)
        and is_composite_type(get_named_type(field.type))
        and not _stated(field, ListSize)
        and (kind, name) not in sized_above
    ]

    assert silent == []


def test_every_argument_called_first_slices() -> None:
    unsliced = [
        f"{kind}.{name}"
        for kind, name, field in _object_fields()
        if "first" in field.args
        and not any("first" in (each.slicing_arguments or ()) for each in _stated(field, ListSize))
    ]

    assert unsliced == []


def test_every_mutation_costs_what_a_write_costs() -> None:
    weights = {
        name: [each.weight for each in _stated(field, Cost)]
        for kind, name, field in _object_fields()
        if kind == "Mutation"
    }

    assert {name for name, stated in weights.items() if stated != ["10"]} == set()


def test_directives_are_those_of_the_specification() -> None:
    printed = build_schema(production=False).as_str()
    arguments = {
        each.name: {name: str(argument.type) for name, argument in each.args.items()}
        for each in build_sdl(printed).directives
    }

    assert {name: arguments[name] for name in ("cost", "listSize")} == {
        "cost": {"weight": "String!"},
        "listSize": {
            "assumedSize": "Int",
            "slicingArguments": "[String!]",
            "sizedFields": "[String!]",
            "requireOneSlicingArgument": "Boolean",
        },
    }
    assert 'slicingArguments: ["first"], sizedFields: ["nodes", "edges"]' in printed


async def test_answer_tells_what_it_cost(client: httpx2.AsyncClient) -> None:
    answers = [
        await client.post("/graphql", json={"query": query}) for query in ("{ categories { id } }", "{ __typename }")
    ]

    assert [answer.json()["extensions"]["cost"] for answer in answers] == [
        {"requested": 50, "limit": 1_000_000, "remaining": 999_950},
        {"requested": 1, "limit": 1_000_000, "remaining": 999_949},
    ]


async def test_operation_at_the_limit_runs_and_one_beyond_is_refused(
    client: httpx2.AsyncClient, resources: Resources
) -> None:
    page = "products(first: 99) { nodes { category { id } priceRange { min { amount } max { amount } } } }"
    at = "{ " + " ".join(f"a{n}: {page}" for n in range(20)) + " }"
    assert cost_of(at) == 20 * (1 + 99 * 5) == 9_920
    beyond = at.replace("first: 99", "first: 100")

    runs = await client.post("/graphql", json={"query": at})
    with measured(resources) as effort:
        refused = await client.post(
            "/graphql", json={"query": beyond}, headers={"Accept": "application/graphql-response+json"}
        )

    assert runs.json()["extensions"]["cost"]["requested"] == 9_920
    assert (refused.status_code, "data" in refused.json()) == (400, False)
    assert error_of(refused.json())["message"] == "the operation costs 10020 points; at most 10000 are allowed"
    assert error_of(refused.json())["extensions"]["code"] == "operation_too_costly"
    assert refused.json()["extensions"]["cost"] == {
        "requested": 10_020,
        "limit": 1_000_000,
        "remaining": 1_000_000 - 9_920 - 1,
    }
    assert (effort.fields, effort.statements) == (0, [])


async def test_fault_of_a_document_tells_no_cost(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/graphql", json={"query": "{ nope }"})

    assert "extensions" not in answer.json()


async def test_websocket_tells_the_cost_of_each_operation(client: httpx2.AsyncClient) -> None:
    async with connected(client) as socket:  # opening it costs a point
        answers = [await run(socket, query) for query in ("{ categories { id } }", "{ __typename }")]

    assert [answer["payload"]["extensions"]["cost"] for answer in answers] == [
        {"requested": 50, "limit": 1_000_000, "remaining": 999_949},
        {"requested": 1, "limit": 1_000_000, "remaining": 999_948},
    ]


@pytest.mark.parametrize("transport", ["websocket", "sse"])
async def test_subscription_tells_its_cost_with_its_first_result_alone(
    served: Served, client: httpx2.AsyncClient, writer: dict[str, str], transport: str
) -> None:
    product = await product_named(client, "plain")
    before = len(feeds(served))
    async with AsyncExitStack() as stack:
        if transport == "sse":
            stream = await stack.enter_async_context(streamed(served, PRODUCTS))
            assert await stream.event() == (": ping", None)
        else:
            socket = await stack.enter_async_context(connected(client))
            await subscribe(socket, PRODUCTS)
        await until(lambda: len(feeds(served)) > before)
        told = []
        for title in ("One", "Two"):
            await retitle(client, product, title, writer)
            if transport == "sse":
                event = await stream.event()
                assert event is not None
                result = event[1]
            else:
                result = (await socket.receive_json())["payload"]
            told.append(result.get("extensions"))

    assert [each and each["cost"]["requested"] for each in told] == [2, None]
