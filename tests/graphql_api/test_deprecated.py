"""Which deprecated members of the schema an operation uses: in its document, and in its variables."""

from collections import Counter
from collections.abc import AsyncGenerator
from typing import Any

import httpx2
import pytest
import strawberry
from graphql import GraphQLSchema, build_schema, parse, validate

from commerce.usage.recorder import UseRecorder
from core.resources import Resources
from core.settings import Settings
from graphql_api.deprecated import deprecations, used
from graphql_api.schema import Schema
from tests.factories.uses import uses_of
from tests.fixtures.application import key_with
from tests.fixtures.asgi import Served, client_of
from tests.graphql_api.own_door import ADDRESS, door_of
from tests.graphql_api.subscribing import connected, run

WEB = {"X-Client-Name": "web"}
SDL = """
  type Query {
    shop(kind: Kind = OLD_DEFAULT @deprecated(reason: "Use wish."), wish: Wish, wishes: [[Wish!]!]): Shop
    store: Shop @deprecated(reason: "Use shop.")
    named: Named
    one: Plain
  }
  type Mutation { add(line: Line!, plain: Plain2): Boolean }
  type Subscription { shops: Shop }
  interface Named { name: String @deprecated(reason: "Use title.") title: String }
  type Shop implements Named { name: String title: String owner: String @deprecated(reason: "") self: Shop }
  type Plain { name: String }
  input Plain2 { name: String }
  enum Kind { OLD @deprecated(reason: "Use NEW.") NEW OLD_DEFAULT @deprecated(reason: "Use NEW.") }
  enum Fresh { OLD }
  input Wish { kind: Kind, more: [Wish!], fresh: Fresh }
  input Line { sku: String @deprecated(reason: "Use by."), by: String, wish: Wish, lines: [Line!] }
"""
SCHEMA = build_schema(SDL)


def uses(text: str, operation_name: str | None = None, **variables: Any) -> set[str]:
    assert validate(SCHEMA, parse(text)) == []
    return used(SCHEMA, text, operation_name, variables)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{ shop { title } one { name } __typename }", set()),
        ("{ store { title } }", {"Query.store"}),
        ("{ a: store { b: owner c: owner } }", {"Query.store", "Shop.owner"}),
        ("{ named { name } }", {"Named.name"}),
        ("{ named { ... on Shop { name } } }", set()),  # deprecated on the interface alone
        ("{ named { ... on Shop { self { self { owner } } } } }", {"Shop.owner"}),
        ("{ shop(kind: NEW) { title } }", {"Query.shop(kind:)"}),
        ("{ shop(kind: OLD) { title } }", {"Query.shop(kind:)", "Kind.OLD"}),
        ("{ shop(wish: { fresh: OLD }) { title } }", set()),  # another enum's
        ("{ shop(wish: { more: [{ kind: NEW }, { kind: OLD }] }) { title } }", {"Kind.OLD"}),
        ("{ shop(wishes: [[{ kind: OLD }]]) { title } }", {"Kind.OLD"}),
        ('mutation { add(line: { sku: "x" }) }', {"Line.sku"}),
        ("mutation { add(line: { sku: null }) }", {"Line.sku"}),
        ('mutation { add(line: { by: "x" }) }', set()),
        ('mutation { add(line: { lines: [{ lines: { sku: "x" } }] }) }', {"Line.sku"}),
        ("query($k: Kind = OLD) { shop(wish: { kind: $k }) { title } }", {"Kind.OLD"}),
        ("query($w: Wish = { kind: OLD, more: { kind: NEW } }) { shop(wish: $w) { title } }", {"Kind.OLD"}),
        ("{ shop { ...A } } fragment A on Shop { self { ...B } } fragment B on Shop { owner }", {"Shop.owner"}),
        ("{ shop @include(if: false) { owner } }", {"Shop.owner"}),
        ("subscription { shops { owner } }", {"Shop.owner"}),
    ],
)
def test_document_names_what_is_deprecated(text: str, expected: set[str]) -> None:
    assert uses(text) == expected


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"line": {"by": "x"}}, set()),
        ({"line": {"sku": "x"}}, {"Line.sku"}),
        ({"line": {"sku": None}}, {"Line.sku"}),
        ({"line": {"lines": [{"by": "x"}, {"sku": "x"}, {"sku": "y"}]}}, {"Line.sku"}),
        ({"line": {"lines": {"lines": {"sku": "x"}}}}, {"Line.sku"}),  # one item stands for a list of one
        ({"line": {"wish": {"kind": "OLD", "fresh": "OLD"}}}, {"Kind.OLD"}),
        ({"line": {"wish": {"kind": "NEW"}, "sku": "x"}}, {"Line.sku"}),
        ({"line": {"by": "sku"}, "plain": {"name": "sku"}}, set()),
        ({"line": {}, "other": {"sku": "x"}}, set()),  # no variable of the operation
    ],
)
def test_variables_name_what_is_deprecated(variables: dict[str, Any], expected: set[str]) -> None:
    assert uses("mutation($line: Line!, $plain: Plain2) { add(line: $line, plain: $plain) }", **variables) == expected


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [("Kind", "OLD", {"Kind.OLD"}), ("Kind", "NEW", set()), ("[[Wish!]!]", [[{"kind": "OLD"}]], {"Kind.OLD"})],
)
def test_variable_may_be_an_enum_or_nested_lists(kind: str, value: Any, expected: set[str]) -> None:
    place = "wish: { kind: $v }" if kind == "Kind" else "wishes: $v"

    assert uses(f"query($v: {kind}) {{ shop({place}) {{ title }} }}", v=value) == expected


@pytest.mark.parametrize(
    "value", [None, 7, "OLD", [[[None]]], {"sku": {"sku": 1}}, {"wish": "OLD"}, {"lines": {"x": 1}}, {"lines": 1}]
)
def test_value_of_another_shape_than_its_type_harms_nothing(value: Any) -> None:
    found = uses("mutation($line: Line!) { add(line: $line) }", line=value)

    assert found == ({"Line.sku"} if value == {"sku": {"sku": 1}} else set())


def test_deep_value_harms_nothing() -> None:
    value: dict[str, Any] = {"sku": "x"}
    for _ in range(100_000):
        value = {"lines": [value]}

    assert uses("mutation($line: Line!) { add(line: $line) }", line=value) == {"Line.sku"}


def test_only_the_operation_that_runs_counts_with_the_fragments_that_it_spreads() -> None:
    text = """
      query A { shop { ...F } } query B { store { title } } mutation C($l: Line!) { add(line: $l) }
      fragment F on Shop { owner }
    """

    found = {name: uses(text, name, l={"sku": "x"}) for name in "ABC"}

    assert found == {"A": {"Shop.owner"}, "B": {"Query.store"}, "C": {"Line.sku"}}


def test_many_fragments_that_spread_each_other_are_walked_once() -> None:
    fragments = "".join(f"fragment F{n} on Shop {{ self {{ ...F{n + 1} ...F{n + 1} }} }}" for n in range(40))

    found = uses(f"{{ shop {{ ...F0 }} }} {fragments} fragment F40 on Shop {{ owner }}")

    assert found == {"Shop.owner"}


def test_everything_that_is_deprecated_is_listed_once() -> None:
    listed = {each.subject: each.reason for each in deprecations(SCHEMA)}

    assert listed == {
        "Query.store": "Use shop.",
        "Query.shop(kind:)": "Use wish.",
        "Named.name": "Use title.",
        "Shop.owner": "",
        "Kind.OLD": "Use NEW.",
        "Kind.OLD_DEFAULT": "Use NEW.",
        "Line.sku": "Use by.",
    }
    assert {(each.surface, each.kind, each.since) for each in deprecations(SCHEMA)} == {("graphql", "field", None)}


def test_schema_without_deprecations_is_asked_nothing() -> None:
    fresh: GraphQLSchema = build_schema("type Query { a: Int }")

    assert (used(fresh, "not even a document", None, {}), deprecations(fresh)) == (set(), [])


def one(old: int | None = None) -> int:
    return old or 1


async def three() -> AsyncGenerator[int, None]:
    for number in range(3):
        yield number


@strawberry.type
class Query:
    stale: int = strawberry.field(resolver=one, deprecation_reason="Use fresh.")
    fresh: int = strawberry.field(resolver=one)


@strawberry.type
class Subscription:
    stales = strawberry.subscription(resolver=three, deprecation_reason="Use nothing.")


async def noted(uses: UseRecorder) -> dict[str, int]:
    found: Counter[str] = Counter()
    for (subject, *_), count in (await uses_of(uses, "field")).items():
        found[subject] += count
    return found


async def test_each_operation_that_runs_counts_once_over_any_transport(served: Served, settings: Settings) -> None:
    schema = Schema(query=Query, subscription=Subscription, production=False)
    uses: UseRecorder = served.state["uses"]
    events = {"Accept": "text/event-stream"}

    async with client_of(door_of(served, settings, schema)) as client:
        for query in ("{ a: stale b: stale fresh }", "query($n: Int) { stale(old: $n) }", "{ fresh }"):
            await client.post(ADDRESS, json={"query": query})
        for query in ("{ stale nope }", "{ stale", "query A { stale } query B { stale }"):
            await client.post(ADDRESS, json={"query": query})  # which does not run
        for query in ("{ stale }", "subscription { stales }"):
            await client.post(ADDRESS, json={"query": query}, headers=events)
        async with connected(client, ADDRESS) as socket:
            await run(socket, "{ stale }")

    assert await noted(uses) == {"Query.stale": 4, "Subscription.stales": 1}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ({"variant": {"sku": "ATL-S"}}, {}),
        ({"sku": "ATL-S"}, {"OrderLineInput.sku": 1}),
        ({"variantId": "var_nothing"}, {"OrderLineInput.variantId": 1}),
    ],
)
async def test_order_that_names_its_variant_as_of_old_counts_for_its_client(
    client: httpx2.AsyncClient,
    served: Served,
    resources: Resources,
    operator: dict[str, str],
    line: dict[str, Any],
    expected: dict[str, int],
) -> None:
    query = 'mutation($input: PlaceOrderInput!) { placeOrder(input: $input, idempotencyKey: "a") { __typename } }'
    variables = {"input": {"lines": [{"quantity": 1, **line}], "email": "ada@example.com"}}

    body = {"query": query, "variables": variables}
    answer = await client.post("/graphql", json=body, headers=await key_with(resources, "orders:write") | WEB)

    assert "errors" not in answer.json()
    assert await noted(served.state["uses"]) == expected
    items = (await client.get("/internal/deprecations", headers=operator)).json()["items"]
    used_by = {item["subject"]: item["clients"] for item in items if item["uses"]}
    assert {name: [each["name"] for each in clients] for name, clients in used_by.items()} == {
        name: ["web"] for name in expected
    }
