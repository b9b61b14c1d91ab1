"""Plans: what can be planned, what one is made of, and what happens where one cannot answer."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx2
import pytest
from graphql import GraphQLObjectType, get_named_type, is_composite_type

from commerce.catalog.projections import CATEGORY, IMAGE, PRODUCT, VARIANT
from commerce.orders.projections import ORDER
from core.database import DatabaseUnavailable
from core.projections.fields import Field
from core.resources import Resources
from graphql_api.plans.roots import PLANNED
from graphql_api.plans.selection import projected_name
from graphql_api.schema import build_schema
from tests.factories.statements import recorded
from tests.fixtures.application import LogEntries
from tests.graphql_api.both_roads import planned_so_far
from tests.graphql_api.ordering import placed
from tests.graphql_api.planned_operations import ALL

NOT_PLANNED = {"me", "recommendations"}  # what they show is not projected
PROJECTED = {"Product": PRODUCT, "Variant": VARIANT, "Image": IMAGE, "Category": CATEGORY, "Order": ORDER}


async def body_of(
    client: httpx2.AsyncClient, query: str, variables: dict[str, Any] | None = None, **headers: str
) -> dict[str, Any]:
    response = await client.post("/graphql", json={"query": query, "variables": variables}, headers=headers)
    found: dict[str, Any] = response.json()
    return found


def test_every_field_of_query_is_planned_or_said_not_to_be() -> None:
    query = build_schema(production=False)._schema.query_type
    assert query is not None

    assert query.fields.keys() == PLANNED | NOT_PLANNED
    assert not PLANNED & NOT_PLANNED


@pytest.mark.parametrize("name", PROJECTED)
def test_every_field_of_a_type_has_a_projection(name: str) -> None:
    of = build_schema(production=False)._schema.get_type(name)
    assert isinstance(of, GraphQLObjectType)

    assert list(unprojected(of, PROJECTED[name].members, depth=3)) == []


def unprojected(of: GraphQLObjectType, members: Mapping[str, Field], depth: int) -> list[str]:
    """The type's fields, and those of what hangs on it, so many levels down: variants have products."""
    missing = []
    for name, field in of.fields.items():
        projected = projected_name(of, name)
        inner = get_named_type(field.type)
        if projected not in members:
            missing.append(f"{of.name}.{name}")
        elif is_composite_type(inner) and depth:
            assert isinstance(inner, GraphQLObjectType)
            missing += unprojected(inner, members[projected].members, depth - 1)
    return missing


async def test_metric_says_which_road_an_operation_took(client: httpx2.AsyncClient, operator: dict[str, str]) -> None:
    async def taken() -> dict[str, float]:
        lines = (await client.get("/internal/metrics", headers=operator)).text.splitlines()
        found = (line.split() for line in lines if line.startswith("portico_graphql_operations_total{"))
        return {name.split('"')[1]: float(value) for name, value in found}

    before = await taken()
    for query in ("{ categories { name } }", "{ me { id } }", "{ me { id } categories { name } }", "{ nope }"):
        await body_of(client, query)
    after = await taken()

    assert {road: after[road] - before[road] for road in after} == {"plan": 1, "executor": 3}


async def test_values_do_not_make_another_statement(client: httpx2.AsyncClient, resources: Resources) -> None:
    query = """query($first: Int, $vendor: String, $after: String) {
      products(first: $first, after: $after, filter: {vendor: $vendor}) { nodes { id } pageInfo { endCursor } }
    }"""
    page = (await body_of(client, query, {"first": 1, "vendor": "Peak"}))["data"]["products"]

    with recorded(resources.database.reader) as sent:
        await body_of(client, query, {"first": 2, "vendor": "Ridge"})
        await body_of(client, query, {"first": 2, "vendor": "'; DROP TABLE products; --"})
        await body_of(client, query, {"first": 2, "vendor": "Ridge", "after": page["pageInfo"]["endCursor"]})
        await body_of(client, query, {"first": 30, "vendor": "Ridge"})

    assert sent[0] == sent[1]
    assert len(set(sent)) == 3
    assert "DROP" not in sent[1]


async def test_plan_that_others_have_used_shows_each_caller_their_own(
    client: httpx2.AsyncClient, customer: dict[str, str], stranger: dict[str, str], admin: dict[str, str]
) -> None:
    (mine,) = await placed(client, customer)
    query = 'query($id: ID!) { order(id: $id) { id } orders { nodes { id } } drafts: product(handle: "draft") { id } }'

    async def seen(headers: dict[str, str]) -> tuple[str | None, int, bool]:
        data = (await body_of(client, query, {"id": mine["id"]}, **headers))["data"]
        order = data["order"] and data["order"]["id"]
        return order, len(data["orders"]["nodes"]), data["drafts"] is not None

    before = planned_so_far()
    found = await asyncio.gather(*(seen(headers) for headers in (customer, stranger, admin) * 10))

    assert found == [(mine["id"], 1, False), (None, 0, False), (mine["id"], 1, True)] * 10
    assert planned_so_far() - before == 30


async def test_database_that_is_away_is_for_the_executor_to_say(
    client: httpx2.AsyncClient, resources: Resources, monkeypatch: pytest.MonkeyPatch, log_entries: LogEntries
) -> None:
    async def away(*_: object) -> Any:
        raise DatabaseUnavailable

    monkeypatch.setattr(resources.database, "fetch", away)
    before = (await body_of(client, "{ me { id } }"))["extensions"]["cost"]["remaining"]

    body = await body_of(client, '{ products(filter: {q: "atlas"}) { nodes { handle } } }')

    assert body["data"] == {"products": {"nodes": [{"handle": "atlas-coat"}]}}
    cost = body["extensions"]["cost"]
    assert before - cost["remaining"] == cost["requested"]  # spent once
    assert log_entries.application == []


async def test_mistake_in_a_plan_is_logged_and_made_good_by_the_executor(
    client: httpx2.AsyncClient, resources: Resources, monkeypatch: pytest.MonkeyPatch, log_entries: LogEntries
) -> None:
    async def wrong(*_: object) -> Any:
        raise TypeError("no such column")

    monkeypatch.setattr(resources.database, "fetch", wrong)

    body = await body_of(client, '{ product(handle: "plain") { title } }')

    assert body["data"] == {"product": {"title": "Plain"}}
    (entry,) = log_entries.application
    assert (entry["level"], entry["event"]) == ("error", "plan_failed")
    assert "no such column" in entry["exception"]


async def test_statement_that_would_be_too_long_to_keep_is_not_made_again(client: httpx2.AsyncClient) -> None:
    roots = " ".join(f'a{number}: product(handle: "plain") {{ ...More }}' for number in range(20))
    query = f"{{ {roots} }} fragment More on Product {{ ...All variants {{ product {{ ...All }} }} }}" + ALL
    before = planned_so_far()

    first, second = await body_of(client, query), await body_of(client, query)

    assert first["data"] == second["data"]
    assert first["data"]["a19"]["variants"][0]["product"]["handle"] == "plain"
    assert planned_so_far() == before
