"""What the schema says of a document that is to be registered, and what is made ready of one that is."""

from graphql import GraphQLError, OperationDefinitionNode

from commerce.operations.manifest import Description
from core.errors import Invalid
from graphql_api import limits
from graphql_api.cost import MAX_COST, price_of
from graphql_api.deprecated import used
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
    name = operation.name.value if operation.name else None
    faults = tuple(map(_shown, limits.faults(schema._schema, text, limits.RULES)))  # noqa: SLF001
    return Description(name, operation.operation.value, faults or _too_costly(schema, text, name))


def _too_costly(schema: Schema, text: str, name: str | None) -> tuple[str, ...]:
    """Where variables say sizes, those that they have by default."""
    try:
        points = price_of(schema._schema, text, name).points({})  # noqa: SLF001
    except Invalid as error:
        return (error.detail,)
    return (f"it costs {points} points; at most {MAX_COST} are allowed",) if points > MAX_COST else ()


def prepare(schema: Schema, text: str) -> None:
    """Parses, validates and prices it, for strangers too, so that the first who asks for it need not wait for that.

    What is wrong with it, who asks for it is told: the limits may have been others when it was registered.
    """
    keep(text)
    described = describe(schema, text)
    if described.faults:
        return
    for rules in schema.all_rules():
        limits.faults(schema._schema, text, rules)  # noqa: SLF001
    used(schema._schema, text, described.name, {})  # noqa: SLF001


def _shown(error: GraphQLError) -> str:
    places = ", ".join(f"line {place.line}, column {place.column}" for place in error.locations or ())
    return f"{error.message} ({places})" if places else error.message
