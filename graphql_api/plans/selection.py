"""From the selections of a validated operation to shapes of projections (`core.projections`)."""

from collections.abc import Iterator, Mapping

from graphql import (
    FragmentDefinitionNode,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    get_named_type,
    is_composite_type,
)
from graphql.execution.collect_fields import FieldDetails, FragmentDetails, collect_fields, collect_subfields
from graphql.execution.values import VariableValues
from graphql.language import DocumentNode
from strawberry.schema.schema_converter import GraphQLCoreConverter

from core.projections.fields import Constant, Field, Pick, Shape

TYPENAME = "__typename"
# Fields that a projection has under another name, because REST shows something else under this one.
_NAMES = {("Variant", "options"): "option_list"}


class NotProjectable(Exception):
    """The executor has to answer."""


class Selection:
    """Of one operation, with what its variables say to @skip and @include."""

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        said: Mapping[str, bool],
    ) -> None:
        self.schema = schema
        self._operation = operation
        self._variables = VariableValues({}, dict(said))
        self._fragments = {
            node.name.value: FragmentDetails(node)
            for node in document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }

    def roots(self) -> Iterator[tuple[str, list[FieldDetails]]]:
        query = self.schema.query_type
        assert query is not None  # noqa: S101  ours has one
        found = collect_fields(self.schema, self._fragments, self._variables, query, self._operation)
        yield from found.grouped_field_set.items()

    def fields(
        self, of: GraphQLObjectType, details: list[FieldDetails]
    ) -> Iterator[tuple[str, str, list[FieldDetails]]]:
        """What is asked of an object of this type below the fields: name in the answer, in the schema, and its fields,
        merged as the executor merges them.
        """
        found = collect_subfields(self.schema, self._fragments, self._variables, self._operation, of, details)
        for key, below in found.grouped_field_set.items():
            yield key, below[0].node.name.value, below

    def shape(self, of: GraphQLObjectType, details: list[FieldDetails], members: Mapping[str, Field]) -> Shape:
        """What is asked of an object of this type that has these members in its projection. Raises NotProjectable."""
        return tuple(self._picks(of, details, members))

    def _picks(
        self, of: GraphQLObjectType, details: list[FieldDetails], members: Mapping[str, Field]
    ) -> Iterator[Pick | Constant]:
        for key, name, below in self.fields(of, details):
            if name == TYPENAME:
                yield Constant(key, of.name)
                continue
            asked = of.fields[name]
            field = projected_name(of, name)
            if field not in members or asked.args:
                raise NotProjectable(f"{of.name}.{name}")
            inner = get_named_type(asked.type)
            if not is_composite_type(inner):
                yield Pick(key, field)
            elif isinstance(inner, GraphQLObjectType):
                yield Pick(key, field, self.shape(inner, below, members[field].members))
            else:
                raise NotProjectable(f"{of.name}.{name}")

    def type_named(self, name: str) -> GraphQLObjectType:
        found = self.schema.get_type(name)
        assert isinstance(found, GraphQLObjectType)  # noqa: S101  those of our own schema
        return found


def projected_name(of: GraphQLObjectType, field: str) -> str:
    """Under which a projection has the field: that of the domain, which it has in Python too."""
    declared = of.fields[field].extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
    return _NAMES.get((of.name, field)) or str(declared.python_name)
