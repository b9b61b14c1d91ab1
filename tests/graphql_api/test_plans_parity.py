"""Plans answer what the executor answers, to everybody, on both databases: the same JSON, keys in the same order."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.factories.statements import recorded
from tests.graphql_api.both_roads import CALLERS, BothRoads, both_roads
from tests.graphql_api.generated_operations import operations
from tests.graphql_api.planned_operations import ORDERS, PLANNED, UNPLANNED, variables_of

SEE_ALIKE = ("anonymous", "customer", "editor", "writer_key")  # of the catalogue, what the others see too
SEE_ORDERS = {"customer", "stranger", "support", "editor", "orders_key"}


@pytest.fixture(scope="module")
async def roads(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BothRoads]:
    async with both_roads(tmp_path_factory.mktemp("roads"), module_database_url) as roads:
        page = (await roads.ask("{ products(first: 2) { pageInfo { endCursor } } }")).body
        found = (await roads.ask('{ search(query: "jacket", first: 1) { pageInfo { endCursor } } }')).body
        orders = (await roads.ask("{ orders(first: 1) { pageInfo { endCursor } } }", caller="support")).body
        roads.known["after"] = page["data"]["products"]["pageInfo"]["endCursor"]
        roads.known["found"] = found["data"]["search"]["pageInfo"]["endCursor"]
        roads.known["order"] = orders["data"]["orders"]["pageInfo"]["endCursor"]
        known = roads.known
        roads.known["mixed"] = [*known["ids"], *known["orders"], "nonsense", *known["variants"], known["ids"][0]]
        yield roads


def test_corpus_has_more_than_a_hundred_operations() -> None:
    assert len({*PLANNED, *ORDERS}) > 100


@pytest.mark.parametrize("text", PLANNED)
async def test_operation_is_answered_by_a_plan_as_by_the_executor(roads: BothRoads, text: str) -> None:
    variables = variables_of(text, roads.known)
    for caller in SEE_ALIKE:
        planned = await roads.ask(text, variables, caller=caller)
        executed = await roads.ask(text, variables, caller=caller, plans=False)

        assert planned.told() == executed.told(), caller
        assert (planned.status, planned.planned, executed.planned) == (200, True, False), caller


@pytest.mark.parametrize("text", ORDERS)
async def test_orders_are_planned_for_those_who_may_read_them(roads: BothRoads, text: str) -> None:
    variables = variables_of(text, roads.known)
    for caller in CALLERS:
        planned = await roads.ask(text, variables, caller=caller)
        executed = await roads.ask(text, variables, caller=caller, plans=False)

        assert planned.told() == executed.told(), caller
        assert planned.planned == (caller in SEE_ORDERS), caller


@pytest.mark.parametrize("text", UNPLANNED)
async def test_what_is_not_projected_or_not_right_is_left_to_the_executor(roads: BothRoads, text: str) -> None:
    variables = variables_of(text, roads.known)
    for caller in CALLERS:
        planned = await roads.ask(text, variables, caller=caller)
        executed = await roads.ask(text, variables, caller=caller, plans=False)

        assert planned.told() == executed.told(), caller
        assert not planned.planned, caller


async def test_plan_is_one_statement_whatever_is_asked(roads: BothRoads) -> None:
    read_nothing = {
        "{ __typename }",
        "query Q { a: __typename b: __typename }",
        "{ products { __typename } }",
        "{ nodes(ids: []) { id } }",
        "query($yes: Boolean!) { categories @skip(if: $yes) { name } }",
    }
    for text in (*PLANNED, *ORDERS):
        variables = variables_of(text, roads.known)
        with recorded(roads.resources.database.reader) as sent:
            await roads.ask(text, variables, caller="support")

        assert len(sent) - 1 == (text not in read_nothing), text  # besides that which finds the caller


@settings(
    max_examples=100,
    phases=[Phase.generate],
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(text=operations())
async def test_any_operation_is_answered_by_a_plan_as_by_the_executor(roads: BothRoads, text: str) -> None:
    variables = variables_of(text, roads.known)
    for caller in ("anonymous", "support", "writer_key"):
        planned = await roads.ask(text, variables, caller=caller)
        executed = await roads.ask(text, variables, caller=caller, plans=False)

        assert planned.told() == executed.told(), (caller, text)
        assert planned.planned == ("errors" not in executed.body), (caller, text)
