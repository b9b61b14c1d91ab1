"""The fields of Query that can be planned, and their arguments."""

from graphql import FieldNode, GraphQLField, TypeNameMetaFieldDef, print_ast
from graphql.execution.collect_fields import FieldDetails
from graphql.execution.values import VariableValues, get_argument_values

from commerce.accounts.principal import Principal
from graphql_api.catalog.plans import CATALOG_PLANS
from graphql_api.orders.plans import ORDER_PLANS
from graphql_api.plans.nodes import NODE_PLANS
from graphql_api.plans.parts import Binder, Bound, constant
from graphql_api.plans.selection import TYPENAME, NotProjectable, Selection

_PLANS = {**CATALOG_PLANS, **ORDER_PLANS, **NODE_PLANS}
PLANNED = _PLANS.keys()
# What they show to strangers is the catalogue alone: of other nodes these see none.
_OF_CATALOGUE = frozenset({TYPENAME, *CATALOG_PLANS, *NODE_PLANS})


class Root:
    """A field under its name in the answer, with what is asked below it, and not yet with its arguments."""

    def __init__(self, key: str, field: GraphQLField, node: FieldNode, bind: Binder) -> None:
        self.key = key
        self.is_of_catalogue = node.name.value in _OF_CATALOGUE
        self._field = field
        self._node = node
        self._bind = bind
        varies = any("$" in print_ast(each) for each in node.arguments or ())
        self._given = None if varies else get_argument_values(field, node)

    def bind(self, variables: VariableValues, principal: Principal, dialect: str) -> Bound:
        """Raises GraphQLError and AppError for arguments that do not fit, NotProjectable."""
        given = self._given
        if given is None:
            given = get_argument_values(self._field, self._node, variables)
        return self._bind(given, principal, dialect)


def root_of(selection: Selection, key: str, details: list[FieldDetails]) -> Root:
    """Raises NotProjectable."""
    node = details[0].node
    name = node.name.value
    if name == TYPENAME:
        return Root(key, TypeNameMetaFieldDef, node, lambda *_: constant('"Query"'))
    if name not in _PLANS:
        raise NotProjectable(name)
    query = selection.type_named("Query")
    return Root(key, query.fields[name], node, _PLANS[name](selection, details))
