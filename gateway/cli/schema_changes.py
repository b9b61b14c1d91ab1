"""What a change of the GraphQL schema does to the clients of the one before: graphql-core's own differ."""

from enum import StrEnum

from graphql import GraphQLError, GraphQLInputObjectType, GraphQLSchema, build_schema
from graphql.utilities import find_schema_changes


class Severity(StrEnum):
    """They are listed in the order of their letters."""

    BREAKING = "breaking"  # an operation that was valid may not be any more
    DANGEROUS = "dangerous"  # it is, but may be answered with what its client does not know
    SAFE = "safe"


Change = tuple[Severity, str]


def schema_changes(old: str, new: str) -> list[Change]:
    """Between two documents in the schema definition language. An old one that cannot be read may have promised
    anything: that is breaking.
    """
    try:
        before = build_schema(old)
    except (GraphQLError, TypeError) as error:
        return [(Severity.BREAKING, f"what was there is no schema: {_on_a_line(str(error))}")]
    after = build_schema(new)
    found = [
        (Severity(type(change.type).__name__.removesuffix("ChangeType").lower()), _on_a_line(change.description))
        for change in find_schema_changes(before, after)
    ]
    return sorted(found + _narrowed(before, after))


def _narrowed(before: GraphQLSchema, after: GraphQLSchema) -> list[Change]:
    """Inputs that have become @oneOf, which the differ does not see."""
    return [
        (Severity.BREAKING, f"Input {name} takes exactly one of its fields.")
        for name, old in before.type_map.items()
        if isinstance(old, GraphQLInputObjectType) and not old.is_one_of
        if isinstance(new := after.type_map.get(name), GraphQLInputObjectType) and new.is_one_of
    ]


def _on_a_line(text: str) -> str:
    return " ".join(text.split())
