"""docs/graphql.md says nothing that is not so."""

import re

import pytest

from core.errors import error_classes
from core.pagination import MAX_SIZE
from core.settings import ServerSettings
from graphql_api import limits
from graphql_api.cost import MAX_COST
from graphql_api.pagination import DEFAULT_SIZE
from graphql_api.schema import build_schema
from tests.fixtures.processes import ROOT

GUIDE = (ROOT / "docs" / "graphql.md").read_text()
POINTS = ServerSettings.model_fields["points_per_minute"].default
EXAMPLES = re.findall(r"```graphql\n(.*?)```", GUIDE, re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.split("(")[0])
def test_every_example_fits_the_schema(example: str) -> None:
    assert limits.faults(build_schema(production=False)._schema, example, limits.RULES) == ()


def test_every_code_exists() -> None:
    codes = re.findall(r"`([a-z]+(?:_[a-z]+)+)`", GUIDE)

    assert len(set(codes)) > 10
    not_codes = {"connection_init", "retry_after_seconds", "request_id"}
    assert set(codes) - not_codes - set(error_classes()) == set()


@pytest.mark.parametrize(
    "said",
    [
        f"{limits.MAX_TOKENS:,} tokens",
        f"{limits.MAX_OPERATIONS} operations",
        f"{limits.MAX_DIRECTIVES} directives",
        f"{limits.MAX_FRAGMENTS} fragments",
        f"{limits.MAX_SAME:,} pairs",
        f"{limits.MAX_ROOT_FIELDS} fields at its root",
        f"{limits.MAX_ALIASES} aliases",
        f"{limits.MAX_DEPTH} levels",
        f"({limits.MAX_INTROSPECTION_DEPTH} of introspection)",
        f"{limits.MAX_BODY_BYTES // 1024} KiB",
        f"{limits.MAX_VALUES:,} values",
        f"may cost {MAX_COST:,};",
        f"{POINTS:,} points a minute",
        f"`first` is 1 to {MAX_SIZE}, {DEFAULT_SIZE} without it",
    ],
)
def test_every_number_is_that_of_the_code(said: str) -> None:
    assert said in " ".join(GUIDE.split())


def test_every_address_within_the_repository_exists() -> None:
    targets: list[str] = re.findall(r"\]\(([^)#]+)\)", GUIDE)

    assert len(targets) >= 2
    assert [target for target in targets if not (ROOT / "docs" / target).exists()] == []
