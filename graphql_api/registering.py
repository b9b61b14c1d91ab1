"""What the schema says of a document that is to be registered, and what is made ready of one that is."""

from graphql import GraphQLError, OperationDefinitionNode

from commerce.operations.manifest import Description
from graphql_api import limits
from graphql_api.documents import keep
from graphql_api.schema import Schema


def describe(schema: Schema, text: str) -> Description:
    """What it holds, and what keeps it from running."""
    try:
        document = limits.parsed(text)
    except GraphQLError as error:
        return Description(faults=(_shown(error),))
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    if len(operations) != 1:
        return Description(faults=(f"it has {len(operations)} operations, where one is registered at a time",))
    (operation,) = operations
    faults = limits.faults(schema._schema, text, limits.RULES)  # noqa: SLF001
    return Description(
        name=operation.name.value if operation.name else None,
        kind=operation.operation.value,
        faults=tuple(map(_shown, faults)),
    )


def prepare(schema: Schema, text: str) -> None:
    """Parses and validates it, for strangers too, so that the first who asks for it need not wait for that."""
    keep(text)
    try:
        limits.parsed(text)
    except GraphQLError:  # who asks for it is told; the limits may have been others when it was registered
        return
    for rules in schema.all_rules():
        limits.faults(schema._schema, text, rules)  # noqa: SLF001


def _shown(error: GraphQLError) -> str:
    places = ", ".join(f"line {place.line}, column {place.column}" for place in error.locations or ())
    return f"{error.message} ({places})" if places else error.message
