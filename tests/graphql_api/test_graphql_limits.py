"""Documents beyond the limits never run, and a document is validated once."""

from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from graphql import get_introspection_query

from commerce.catalog.repository import ProductRepository
from core.resources import Resources
from core.settings import DataSettings, ServerSettings, Settings, with_embedded_secrets
from graphql_api import limits
from tests.factories.statements import recorded
from tests.fixtures.application import key_with, new_app
from tests.fixtures.asgi import client_of, serve
from tests.fixtures.pages import without_hashes
from tests.graphql_api.asking import Ask, error_of, without_cost


def spread_twice(depth: int) -> str:
    """Each fragment spreads the next one twice: 2^depth ways lead to the last."""
    chain = " ".join(f"fragment F{n} on Category {{ ...F{n + 1} ...F{n + 1} }}" for n in range(depth))
    return f"{{ categories {{ id ...F0 }} }} {chain} fragment F{depth} on Category {{ a: __typename b: __typename }}"


def of_type(levels: int) -> str:
    return '{ categories { id } __type(name: "Product") { ' + "ofType { " * levels + "name " + "} " * levels + "} }"


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (of_type(limits.MAX_INTROSPECTION_DEPTH), "The operation is more than 16 fields deep"),
        (
            "{ categories { " + " ".join(f"a{n}: id" for n in range(limits.MAX_ALIASES + 1)) + " } }",
            "The operation has more than 20 aliases",
        ),
        (spread_twice(limits.MAX_FRAGMENTS - 1), "The operation has more than 20 aliases"),
        ("{ categories { id } " + "__typename " * limits.MAX_TOKENS + "}", "Syntax Error: Document contains more than"),
        ("{ categories { id } ...A } fragment A on Query { ...A }", "Cannot spread fragment 'A' within itself"),
        (
            "{ categories { id } ...A } fragment A on Query { ...B } fragment B on Query { ...A }",
            "Cannot spread fragment 'A' within itself",
        ),
    ],
)
async def test_document_beyond_a_limit_runs_no_resolver(
    ask: Ask, resources: Resources, document: str, message: str
) -> None:
    with recorded(resources.database.reader) as sent:
        body = await ask(document)

    assert error_of(body)["message"].startswith(message)
    assert error_of(body)["extensions"]["code"] == "invalid_request"
    assert "data" not in body
    assert sent == []


async def test_product_fields_count_towards_the_depth(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    deepest = "{ products { edges { node { ...V } } } } fragment V on Product { variants { price { amount } } }"
    monkeypatch.setattr(limits, "MAX_DEPTH", 6)
    fits = await ask(deepest)
    monkeypatch.setattr(limits, "MAX_DEPTH", 5)
    refused = await ask(f"{deepest} # what is known of a document is known by its text")

    assert "errors" not in fits
    assert error_of(refused)["message"] == "The operation is more than 5 fields deep"


async def test_documents_at_the_limits_run(ask: Ask) -> None:
    aliases = await ask("{ " + " ".join(f"a{n}: __typename" for n in range(limits.MAX_ALIASES)) + " }")
    deep = await ask(of_type(limits.MAX_INTROSPECTION_DEPTH - 2))

    assert ("errors" in aliases, "errors" in deep) == (False, False)
    assert len(aliases["data"]) == limits.MAX_ALIASES


async def test_document_is_parsed_and_validated_once(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[type] = []

    class Counted(limits.DepthRule):
        def __init__(self, context: Any) -> None:
            made.append(type(self))
            super().__init__(context)

    monkeypatch.setattr(limits, "LIMITS", (Counted,))
    limits.faults.strangers.cache_clear()
    limits.parsed.strangers.cache_clear()
    for _ in range(3):
        await ask("{ categories { slug } }")

    assert len(made) == 1
    assert limits.faults.strangers.cache_info().misses == 1
    assert limits.parsed.strangers.cache_info().misses == 1


async def test_resolvers_run_each_time_though_the_document_is_cached(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    read = ProductRepository.categories

    async def count(self: ProductRepository, columns: Any) -> Any:
        calls.append(1)
        return await read(self, columns)

    monkeypatch.setattr(ProductRepository, "categories", count)
    for _ in range(2):
        await ask("{ me { id } categories { slug } }")

    assert len(calls) == 2


async def test_introspection_and_suggestions_help_in_development(ask: Ask) -> None:
    schema = await ask(get_introspection_query())

    assert schema["data"]["__schema"]["queryType"] == {"name": "Query", "kind": "OBJECT"}
    assert "Did you mean 'products'" in error_of(await ask("{ productss { totalCount } }"))["message"]


@pytest.fixture
def production_app(settings: Settings, gateway_template: Any) -> FastAPI:
    return new_app(
        with_embedded_secrets(
            Settings(
                server=ServerSettings(environment="production"), data=DataSettings(data_dir=settings.data.data_dir)
            )
        ),
        gateway_template,
    )


async def test_production_hides_the_schema_from_strangers(production_app: FastAPI) -> None:
    async with serve(production_app) as served, client_of(served) as client:
        key = await key_with(served.state["resources"], "catalog:read")

        async def post(query: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
            return without_cost((await client.post("/graphql", json={"query": query}, headers=headers)).json())

        stranger = [await post("{ __schema { queryType { name } } }") for _ in range(2)]
        partner = await post("{ __schema { queryType { name } } }", key)
        guesses = [
            error_of(await post(query, headers))["message"]
            for query in ("{ productss { totalCount } }", "{ products(frist: 1) { totalCount } }")
            for headers in (None, key)
        ]
        typename = await post("{ __typename }")
        page = await client.get("/graphql", headers={"Accept": "text/html"})

    assert stranger[0]["errors"][0]["message"].startswith("GraphQL introspection has been disabled")
    assert ["data" in body for body in stranger] == [False, False]
    assert partner == {"data": {"__schema": {"queryType": {"name": "Query"}}}}
    assert [message for message in guesses if "Did you mean" in message] == []
    assert typename == {"data": {"__typename": "Query"}}
    assert (page.status_code, page.headers["allow"]) == (405, "POST")


async def test_ide_is_served_in_development_from_our_own_files(client: httpx2.AsyncClient) -> None:
    page = await client.get("/graphql", headers={"Accept": "text/html,*/*;q=0.8"})
    files = [part.split('"')[0] for mark in ('src="', 'href="') for part in page.text.split(mark)[1:]]
    answers = [(await client.get(file)).status_code for file in files]

    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "script-src 'self';" in page.headers["content-security-policy"]
    assert "<script>" not in page.text
    assert [file for file in files if not file.startswith("/static/")] == []
    assert "/static/graphiql.js" in map(without_hashes, files)
    assert answers == [200] * len(files)
