"""What storefronts ask: the answers of REST, in a number of statements that is known, and the same for 1 and for 50.

On both roads: as plans, where one statement has it all, and on the executor.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

import pytest

from core.resources import Resources
from gateway.app import create_app
from graphql_api.app import create_graphql_app
from tests.factories.order_rows import OrderRows
from tests.factories.people import a_user, signed_in
from tests.factories.statements import recorded
from tests.fixtures.application import settings_over
from tests.fixtures.asgi import Served, client_of, serve
from tests.graphql_api.asking import on_the_executor
from tests.graphql_api.storefront import (
    CORPUS,
    QUERIES,
    Filler,
    Headers,
    Json,
    Rest,
    shaped,
    text_of,
    variables_of,
)

SIZES = (1, 50)
ROADS = ("plan", "executor")
UNPLANNED = {"you_may_like", "page_header", "account_page"}  # they ask for what is not projected
# Of some queries, the columns that each table is asked for.
COLUMNS: dict[str, dict[str, str]] = {
    "sitemap": {"products": "id handle updated_at created_at"},
    "search_suggestions": {"products": "id handle title created_at"},
    "product_card_list": {
        "products": "id handle title currency price_min price_max title_order",
        "product_images": "product_id url alt",
        "variants": "id product_id stock inventory_policy",
    },
    "size_chart": {"products": "id status currency handle", "variants": "product_id options"},
    "breadcrumb": {"products": "id title category_id status handle", "categories": "id name slug"},
    "compare": {
        "products": "id title description vendor status currency price_min price_max",
        "variants": "product_id options weight_grams",
    },
    "recently_viewed": {"products": "id handle title status"},
    "cart_preview": {
        "variants": "id product_id options price stock inventory_policy",
        "products": "id status currency handle title",
        "product_images": "product_id url",
    },
    "stock_check": {"products": "id status currency", "variants": "id product_id stock inventory_policy"},
}
# The tables that queries of orders read.
TABLES = {
    "order_numbers": {"orders"},
    "order_history": {"orders", "order_lines"},
    "open_orders": {"orders", "order_lines"},
    "order_tracking": {"orders", "shipments"},
    "order_again": {"orders", "order_lines"},
    "order_refetch": {"orders", "payments"},
    "order_page": {"orders", "order_lines", "payments", "shipments"},
    "admin_orders": {"orders", "order_lines", "payments"},
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of one query of the corpus, and what REST says."""

    body: Json
    told: Json
    statements: list[str]


Answers = dict[tuple[str, str, int], Asked]


@pytest.fixture(scope="module")
async def answers(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """Of every query, to a shop of each size, on each road, over each kind of database."""
    settings = settings_over(module_database_url, tmp_path_factory.mktemp("storefront"))
    found = {}
    async with serve(create_app(settings)) as served, client_of(served) as client:
        executor = client_of(Served(create_graphql_app(on_the_executor(settings)), served.state))
        resources: Resources = served.state["resources"]
        customer, admin = await a_user(resources), await a_user(resources, "admin")
        filler = Filler(resources.database, OrderRows(resources.database), customer)
        callers: dict[str, Headers] = {
            "anonymous": {},
            "customer": await signed_in(resources, customer),
            "admin": await signed_in(resources, admin),
        }
        doors = {"plan": ("/graphql", client), "executor": ("/", executor)}
        for size in SIZES:
            await filler.add(size)
            rests = {caller: Rest(client, headers) for caller, headers in callers.items()}
            given = await _given(rests["anonymous"], size, customer.email)
            for name, query in QUERIES.items():
                payload = {"query": text_of(name), "variables": variables_of(name, given)}
                told = {field: await answer for field, answer in query.twin(rests[query.caller], given).items()}
                for road, (address, door) in doors.items():
                    with recorded(resources.database.reader) as statements:
                        response = await door.post(address, json=payload, headers=callers[query.caller])
                    found[road, name, size] = Asked(response.json(), told, statements)
    return found


async def _given(rest: Rest, size: int, email: str) -> Json:
    """The variables of all queries, by name."""
    page = await rest.page(size, q="jacket", sort="title")
    ids = [item["id"] for item in page["nodes"]]
    return {
        "first": size,
        "after": (await rest.get("v2/products", limit=1))["next"],
        "handle": f"hero-{size}",
        "oldHandle": f"old-hero-{size}",
        "id": (await rest.product(f"hero-{size}"))["id"],
        "other": ids[0],
        "ids": ids,
        "variants": [item["variants"][0]["id"] for item in page["nodes"]],
        "jackets": [f"jacket-{size}-{number}" for number in range(size)],  # the most ordered first
        "category": "category-0",
        "words": "jack",
        "vendor": "Ridge",
        "tag": "sale",
        "min": 1000,
        "max": 1100,
        "sort": "TITLE_DESC",
        "order": f"ord_{size}-0",
        "orders": [f"ord_{size}-{number}" for number in range(size)],
        "email": email.upper(),
    }


def test_corpus_is_asked_whole() -> None:
    assert {path.stem for path in CORPUS.glob("*.graphql")} == set(QUERIES)
    assert len(QUERIES) >= 30


@pytest.mark.parametrize("road", ROADS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", QUERIES)
async def test_query_is_answered_as_by_rest(answers: Answers, name: str, size: int, road: str) -> None:
    asked = answers[road, name, size]

    assert "errors" not in asked.body
    assert asked.body["data"] == shaped(asked.told, asked.body["data"])
    assert set(asked.body["data"]) == set(asked.told)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", QUERIES)
async def test_both_roads_answer_alike(answers: Answers, name: str, size: int) -> None:
    planned, executed = (answers[road, name, size].body for road in ROADS)

    assert json.dumps(planned["data"]) == json.dumps(executed["data"])
    assert planned["extensions"]["cost"]["requested"] == executed["extensions"]["cost"]["requested"]


@pytest.mark.parametrize("name", QUERIES)
async def test_query_takes_as_many_statements_for_fifty_as_for_one(answers: Answers, name: str) -> None:
    numbers = [len(answers["executor", name, size].statements) for size in SIZES]

    assert numbers == [QUERIES[name].statements] * 2, answers["executor", name, 1].statements


@pytest.mark.parametrize("name", sorted(QUERIES.keys() - UNPLANNED))
async def test_plan_is_one_statement(answers: Answers, name: str) -> None:
    for_the_caller = 0 if QUERIES[name].caller == "anonymous" else 1

    assert [len(answers["plan", name, size].statements) - for_the_caller for size in SIZES] == [1, 1]


@pytest.mark.parametrize("name", COLUMNS)
async def test_query_reads_the_columns_that_it_shows(answers: Answers, name: str) -> None:
    read = _columns(answers["executor", name, 50].statements)

    assert read == {table: set(columns.split()) for table, columns in COLUMNS[name].items()}


@pytest.mark.parametrize("name", TABLES)
async def test_query_of_orders_reads_what_is_asked_of_them(answers: Answers, name: str) -> None:
    statements = answers["executor", name, 50].statements
    read = {table for statement in statements for table in re.findall(r"FROM (\w+)", statement)}

    assert read - {"users"} == TABLES[name]


def _columns(statements: list[str]) -> dict[str, set[str]]:
    """By table, what is between SELECT and FROM."""
    found: dict[str, set[str]] = {}
    for statement in statements:
        selected: Any = re.match(r"SELECT (.*?)\s+FROM", statement, re.DOTALL)
        for table, column in re.findall(r"(\w+)\.(\w+)", selected[1]):
            found.setdefault(table, set()).add(column)
    return found
