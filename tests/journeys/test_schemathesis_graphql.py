"""GraphQL against its own schema, by property-based testing from outside (schemathesis)."""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.core.result import Ok
from schemathesis.graphql import nodes

from tests.fixtures.processes import PORTICO, StartProcess

SDL = Path(__file__).parents[2] / "docs" / "contracts" / "schema.graphql"
EXAMPLES = 25  # of each root field and caller
ENOUGH = 5  # of them at least are not refused as wrong, or the others prove nothing
OPEN = {
    *(
        f"Query.{name}"
        for name in ("product", "products", "search", "categories", "recommendations", "me", "node", "nodes")
    ),
    *(f"Mutation.{name}" for name in ("registerUser", "signIn")),
}
_TEXT = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_AFTER = re.compile(rf"\bafter: {_TEXT.pattern}")
_NUMBER = re.compile(r"\b(first|quantity): -?\d+")
_MOMENTS = st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat)
schemathesis.graphql.scalar("DateTime", _MOMENTS.map(nodes.String))
schemathesis.graphql.scalar("Long", st.integers(-(2**53), 2**53).map(nodes.Int))


def texts_of(client: httpx2.Client) -> list[str]:
    """What there is, besides what is made up: its ids, names and cursors, and texts that are at an edge."""
    query = "{ products(first: 3) { edges { cursor node { id handle variants { id sku } category { name slug } } } } }"
    found = _TEXT.findall(client.post("/graphql", json={"query": query}).text)
    edges = [
        '""',
        '" "',
        '"' + "x" * 300 + '"',
        '"admin@example.com"',
        '"evt_0000000000000"',
        '"e\\u0301\\ud83d\\ude00"',
    ]
    return [*found, *edges]


@st.composite
def documents(draw: st.DrawFn, operation: Any, texts: list[str]) -> str:
    """As the schema has it; half of the texts are of what there is, half of the numbers may be right, and half of the
    pages are first ones.
    """
    document: str = draw(operation.as_strategy()).body
    document = _AFTER.sub(lambda after: "after: null" if draw(st.booleans()) else after[0], document)
    document = _TEXT.sub(lambda text: draw(st.sampled_from(texts)) if draw(st.booleans()) else text[0], document)
    return _NUMBER.sub(
        lambda number: f"{number[1]}: {draw(st.integers(1, 3))}" if draw(st.booleans()) else number[0], document
    )


def operations() -> Iterator[Any]:
    for each in schemathesis.graphql.from_path(SDL).get_all_operations():
        assert isinstance(each, Ok)
        yield each.ok()


@pytest.mark.parametrize("caller", ["anonymous", "admin"])
def test_no_document_finds_an_internal_error(start: StartProcess, caller: str) -> None:
    server = start(*PORTICO, "serve", "--demo", "--port", "0")
    login = server.until(r"admin login (\S+) with the password (\S+)")
    address = server.until(r"Portico is ready: (\S+)")[1]
    done: Counter[str] = Counter()

    with httpx2.Client(base_url=address, timeout=60) as client:
        if caller == "admin":
            form = {"username": login[1], "password": login[2]}
            token = client.post("/public/v1/auth/token", data=form).json()["access_token"]
            client.headers["Authorization"] = f"Bearer {token}"
        texts = texts_of(client)
        for operation in operations():
            ask_much(client, operation, texts, done)

    assert "internal_error" not in server.story
    ran = {label for label, count in done.items() if count >= ENOUGH}
    assert ran == (OPEN if caller == "anonymous" else {operation.label for operation in operations()})


def ask_much(client: httpx2.Client, operation: Any, texts: list[str], done: Counter[str]) -> None:
    """Counts what is done, or refused by a type of its result, as against what is no operation for this caller."""

    @settings(max_examples=EXAMPLES, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(documents(operation, texts))
    def ask(document: str) -> None:
        response = client.post("/graphql", json={"query": document})
        codes = {error["extensions"]["code"] for error in response.json().get("errors", ())}
        assert response.status_code < 500, document
        assert not codes & {"internal_error", "unavailable"}, document
        done[operation.label] += not codes

    ask()
