"""From the text of an operation to its plan. What does not depend on a request's values is made once, and kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from graphql import (
    DirectiveNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
    Visitor,
    get_operation_ast,
    visit,
)
from graphql.execution.values import VariableValues, get_variable_values
from pydantic_core import to_json

from commerce.accounts.principal import Principal
from commerce.operations.memory import Memory
from core.errors import AppError, Unavailable
from core.resources import Resources
from graphql_api import limits
from graphql_api.admission import Rulebook
from graphql_api.documents import by_text
from graphql_api.plans.parts import Bound, Statement, prefix, statement_of
from graphql_api.plans.roots import Root, root_of
from graphql_api.plans.selection import NotProjectable, Selection

_MOST_SELECTIONS = 8  # of an operation, by what its variables say to @skip and @include
_ROOM = 128 * 1024  # characters of the statements of one selection
_NO_VARIABLES = VariableValues({}, {})


@dataclass(frozen=True, slots=True)
class Plan:
    """An operation with its values: good for one request."""

    _selected: "_Selected"
    _bounds: Sequence[Bound]

    @property
    def is_of_catalogue(self) -> bool:
        """Whether all strangers get the same, until a product changes."""
        return all(root.is_of_catalogue for root in self._selected.roots)

    async def read(self, resources: Resources) -> str | None:
        """The answer's data, as JSON; None where the database is away, which the executor has to say."""
        database = resources.database
        statement = self._selected.statement(self._bounds, database.dialect)
        if statement is None:
            return None
        try:
            found = statement.split(await database.fetch(statement.sql, self._values()) if statement.sql else ())
            written = [await bound.json(each, resources) for bound, each in zip(self._bounds, found, strict=True)]
        except Unavailable:
            return None
        return "{" + ",".join(map("".join, zip(self._selected.keys, written, strict=True))) + "}"

    def _values(self) -> dict[str, Any]:
        return {
            f"{prefix(at)}{name}": each for at, bound in enumerate(self._bounds) for name, each in bound.values.items()
        }


class Planner:
    """Per application. Its plans are those of the process."""

    def __init__(self, schema: Rulebook) -> None:
        self._schema = schema

    def plan(
        self, text: str, name: str | None, variables: dict[str, Any], principal: Principal, dialect: str
    ) -> Plan | None:
        """None for what the executor has to answer, or to refuse: plans make no errors of their own."""
        schema = self._schema._schema  # noqa: SLF001
        try:
            if limits.faults(schema, text, self._schema.rules_for(principal)):
                return None
        except GraphQLError:  # it does not parse
            return None
        draft = _draft_of(schema, text, name)
        if draft is None:
            return None
        try:
            return draft.plan(variables, principal, dialect)
        except (AppError, GraphQLError, NotProjectable):
            return None


class _Draft:
    """Of a query in a document without faults, for all callers and variables."""

    def __init__(self, schema: GraphQLSchema, text: str, operation: OperationDefinitionNode) -> None:
        self._schema = schema
        self._document = limits.parsed(text)
        self._operation = operation
        conditions = _Conditions()
        visit(self._document, conditions)
        declared = {each.variable.name.value for each in operation.variable_definitions or ()}
        self._conditions = sorted(declared & conditions.names)
        self._selected = lru_cache(_MOST_SELECTIONS)(self._select)

    def plan(self, variables: dict[str, Any], principal: Principal, dialect: str) -> Plan | None:
        """Raises GraphQLError, AppError, NotProjectable."""
        values = self._values(variables)
        if values is None:
            return None
        selected = self._selected(*(values.coerced[name] for name in self._conditions))
        if selected is None:
            return None
        return Plan(selected, [root.bind(values, principal, dialect) for root in selected.roots])

    def _values(self, variables: dict[str, Any]) -> VariableValues | None:
        definitions = self._operation.variable_definitions
        if not definitions:
            return _NO_VARIABLES
        values = get_variable_values(self._schema, definitions, variables)
        return values if isinstance(values, VariableValues) else None

    def _select(self, *said: bool) -> "_Selected | None":
        """None: some field has no projection."""
        selection = Selection(
            self._schema, self._document, self._operation, dict(zip(self._conditions, said, strict=True))
        )
        try:
            return _Selected([root_of(selection, key, details) for key, details in selection.roots()])
        except NotProjectable:
            return None


@by_text(position=1)
def _draft_of(schema: GraphQLSchema, text: str, name: str | None) -> _Draft | None:
    """None for what is no query."""
    operation = get_operation_ast(limits.parsed(text), name)
    return _Draft(schema, text, operation) if operation and operation.operation is OperationType.QUERY else None


class _Selected:
    """What a draft asks for, once it is said what it leaves out."""

    def __init__(self, roots: Sequence[Root]) -> None:
        self.roots = roots
        self.keys = [to_json(root.key).decode() + ":" for root in roots]
        self._statements: Memory[Statement] = Memory(_ROOM)
        self._is_too_long = False

    def statement(self, bounds: Sequence[Bound], dialect: str) -> Statement | None:
        """None where one was too long to be kept."""
        kind = (dialect, *[bound.kind for bound in bounds])
        known = self._statements.get(kind)
        if known is None and not self._is_too_long:
            known = statement_of(bounds, dialect)
            size = len(known.sql.text) if known.sql is not None else 1
            self._statements.put(kind, known, size)
            self._is_too_long = size > _ROOM
        return known


class _Conditions(Visitor):
    """The variables that @skip and @include ask."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def enter_directive(self, node: DirectiveNode, *_: Any) -> None:
        self.names |= {each.value.name.value for each in node.arguments or () if isinstance(each.value, VariableNode)}
