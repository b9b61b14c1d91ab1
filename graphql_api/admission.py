"""Whether an operation may run, asked once, whichever road it then takes."""

from typing import Any, Protocol

from graphql import GraphQLError, GraphQLSchema, OperationDefinitionNode

from commerce.accounts.principal import Principal
from core.budget import READ_POINTS
from core.errors import AppError
from core.receipts import note
from graphql_api import limits
from graphql_api.context import Admission, Context
from graphql_api.cost import MAX_COST, OperationTooCostly, price_of
from graphql_api.deprecated import used
from graphql_api.documents import by_text


class Rulebook(Protocol):
    """The schema, and by which rules it is asked."""

    _schema: GraphQLSchema

    def rules_for(self, principal: Principal) -> limits.Rules: ...


async def admit(schema: Rulebook, text: str, name: str | None, variables: dict[str, Any], caller: Context) -> Admission:
    """Of an operation in a document that parses. `name`: as the request has it."""
    points = None
    try:
        await caller.renew_principal()
        await caller.begin()
        found = limits.faults(schema._schema, text, schema.rules_for(caller.principal))  # noqa: SLF001
        faults = list(found) or _unnamed(text, name) or limits.faults_of_variables(variables)
        if not faults:
            points = price_of(schema._schema, text, operation_name(text, name)).points(variables)  # noqa: SLF001
            note("cost", count=points)
            allowed = min(MAX_COST, caller.quota.limit.amount)
            if points > allowed:
                raise OperationTooCostly(f"the operation costs {points} points; at most {allowed} are allowed")
            await caller.spend(points - READ_POINTS)
    except AppError as error:
        faults = [GraphQLError(error.detail, original_error=error)]
    return Admission(faults, points)


def note_deprecated(schema: Rulebook, text: str, name: str | None, variables: dict[str, Any], caller: Context) -> None:
    """Counts what an operation that runs uses of it, once, however often it names it."""
    for each in used(schema._schema, text, operation_name(text, name), variables):  # noqa: SLF001
        caller.note("field", each)


def operation_name(text: str, name: str | None) -> str | None:
    """That which the request has, else the document's first operation's: one operation is remembered under one name."""
    return name if name is not None else next(iter(_names(text)), None)


def _unnamed(text: str, name: str | None) -> list[GraphQLError]:
    """The specification's GetOperation (6.1): of several operations, Strawberry would run the first."""
    if name is None and len(_names(text)) > 1:
        return [GraphQLError("operationName is missing: the document has several operations")]
    return []


@by_text()
def _names(text: str) -> tuple[str | None, ...]:
    """Of the document's operations."""
    operations = (node for node in limits.parsed(text).definitions if isinstance(node, OperationDefinitionNode))
    return tuple(node.name.value if node.name is not None else None for node in operations)
