"""What an operation may cost at most, in points, counted from its document and its variables before it runs.

A field costs its weight, and what is asked of its objects; a list does so for each item that it may have. Weights and
sizes are the schema's (`graphql_api.cost_directives`). Of the members of a union or an interface, the dearest counts.
What `@skip` and `@include` leave out is counted too.

The sizes that variables say are unknown while a document is counted, so that what it costs is a polynomial in them.
It is made once a document; a request puts its variables in.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from math import prod
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInt,
    GraphQLList,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_abstract_type,
    is_composite_type,
)
from strawberry.schema.schema_converter import GraphQLCoreConverter

from core.errors import Invalid
from graphql_api.cost_directives import Cost, ListSize
from graphql_api.documents import by_text
from graphql_api.limits import parsed
from graphql_api.pagination import check_size

MAX_COST = 10_000  # of one operation: a hundred products of a page cost 3,500 with all that they have
_UNSAID = 10  # what a list has of which the schema says nothing
# Of introspection only lists cost, or the IDE's own query, which follows the types of all fields, would be too dear.
_INTROSPECTED = {
    "types": 100,
    "fields": 10,
    "args": 2,
    "inputFields": 5,
    "enumValues": 5,
    "interfaces": 1,
    "possibleTypes": 5,
    "directives": 10,
}


class OperationTooCostly(Invalid):
    """The operation may read more than one operation may: ask for smaller pages, for fewer fields below lists, or in
    several operations. `extensions.cost.requested` says what it costs.
    """

    code = "operation_too_costly"
    title = "Operation too costly"


@dataclass(frozen=True, slots=True)
class Slice:
    """A size that a variable says: `default` where it is left out, `assumed` where that, or what was sent, is null."""

    variable: str
    argument: str
    is_number: bool  # or a list, of which the length counts
    default: int | None
    assumed: int

    def size(self, variables: Mapping[str, Any]) -> int:
        """What is of another type is refused later. Raises Invalid."""
        value = variables.get(self.variable, self.default)
        if value is None:
            return self.assumed
        if not self.is_number:
            return len(value) if isinstance(value, list) else 1
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        return check_size(int(value), self.argument) if whole else 1


Points = dict[tuple[Slice, ...], int]
Size = Slice | int
_INHERITED = Slice(
    "", "", is_number=False, default=None, assumed=_UNSAID
)  # the size that the field above a connection has


class Price:
    """Of an operation."""

    def __init__(self, points: Points) -> None:
        self._points = points

    def points(self, variables: Mapping[str, Any] | None) -> int:
        """At least one. Raises Invalid for a page of a size that there is not."""
        sizes = {each: each.size(variables or {}) for slices in self._points for each in slices}
        return max(1, sum(count * prod(sizes[each] for each in slices) for slices, count in self._points.items()))


@by_text(position=1)
def price_of(schema: GraphQLSchema, text: str, operation_name: str | None) -> Price:
    """Of an operation in a document without faults. Raises Invalid as `Price.points` does, for sizes in the text."""
    return Price(_Counter(schema, text, operation_name).count())


class _Counter:
    """Counts every selection once for each type that it may be of, however often its fragment is spread."""

    def __init__(self, schema: GraphQLSchema, text: str, operation_name: str | None) -> None:
        definitions = parsed(text).definitions
        self._schema = schema
        self._fragments = {node.name.value: node for node in definitions if isinstance(node, FragmentDefinitionNode)}
        self._operation = next(
            node
            for node in definitions
            if isinstance(node, OperationDefinitionNode)
            and (operation_name is None or (node.name is not None and node.name.value == operation_name))
        )
        self._defaults = {
            each.variable.name.value: each.default_value for each in self._operation.variable_definitions or ()
        }
        self._known: dict[tuple[int, str], Points] = {}

    def count(self) -> Points:
        root = self._schema.get_root_type(self._operation.operation)
        assert root is not None  # noqa: S101  validated
        return self._selected(self._operation.selection_set, root)

    def _selected(self, selection_set: SelectionSetNode, parent: GraphQLObjectType) -> Points:
        key = (id(selection_set), parent.name)
        if key not in self._known:
            self._known[key] = _sum(self._selection(each, parent) for each in selection_set.selections)
        return self._known[key]

    def _selection(self, node: object, parent: GraphQLObjectType) -> Points:
        if isinstance(node, FieldNode):
            return self._field(node, parent)
        if isinstance(node, FragmentSpreadNode):
            node = self._fragments[node.name.value]
        assert isinstance(node, FragmentDefinitionNode | InlineFragmentNode)  # noqa: S101  there is nothing else
        condition = node.type_condition.name.value if node.type_condition else parent.name
        return self._selected(node.selection_set, parent) if parent in self._members(condition) else {}

    def _members(self, name: str) -> list[GraphQLObjectType]:
        """The types that an object of this type may be of."""
        named = self._schema.get_type(name)
        if is_abstract_type(named):
            return self._schema.get_possible_types(named)
        return [named] if isinstance(named, GraphQLObjectType) else []

    def _field(self, node: FieldNode, parent: GraphQLObjectType) -> Points:
        field = self._schema.get_field(parent, node.name.value)
        assert field is not None  # noqa: S101  validated
        listing = _listing(field)
        size = self._size(node, field, listing) if listing else _UNSAID
        points: Points = {(): _weight(field)}
        if node.selection_set:
            members = self._members(get_named_type(field.type).name)
            dearest = _dearest([self._selected(node.selection_set, each) for each in members])
            points = _sum([points, _replaced(dearest, size)])
        return _scaled(points, self._times(node.name.value, field, parent, size))

    def _times(self, name: str, field: GraphQLField, parent: GraphQLObjectType, size: Size) -> Size:
        """How many items it has."""
        if not isinstance(get_nullable_type(field.type), GraphQLList):
            return 1
        if parent.name.startswith("__"):
            return _INTROSPECTED.get(name, _UNSAID)
        return _INHERITED if (parent.name, name) in _sized_fields(self._schema) else size

    def _size(self, node: FieldNode, field: GraphQLField, listing: ListSize) -> Size:
        assumed = listing.assumed_size or _UNSAID
        for argument in node.arguments or ():
            name = argument.name.value
            if name in (listing.slicing_arguments or ()):
                is_number = get_nullable_type(field.args[name].type) is GraphQLInt
                if isinstance(argument.value, VariableNode):
                    variable = argument.value.name.value
                    default = _literal(self._defaults.get(variable), is_number=is_number)
                    return Slice(variable, name, is_number, default, assumed)
                literal = _literal(argument.value, is_number=is_number)
                if literal is None:
                    return assumed
                return check_size(literal, name) if is_number else literal
        return assumed


def _literal(value: ValueNode | None, *, is_number: bool) -> int | None:
    """The size that a value says."""
    if value is None or isinstance(value, NullValueNode):
        return None
    if isinstance(value, IntValueNode) and is_number:
        return int(value.value)
    return len(value.values) if isinstance(value, ListValueNode) else 1


def _weight(field: GraphQLField) -> int:
    named = get_named_type(field.type)
    stated = next((each for each in _directives(field) if isinstance(each, Cost)), None)
    if stated is not None:
        return int(stated.weight)
    if named.name.startswith("__"):
        return int(isinstance(get_nullable_type(field.type), GraphQLList))
    return int(is_composite_type(named))


def _listing(field: GraphQLField) -> ListSize | None:
    return next((each for each in _directives(field) if isinstance(each, ListSize)), None)


def _directives(field: GraphQLField) -> Iterable[object]:
    definition = field.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    return definition.directives if definition is not None else ()


@cache
def _sized_fields(schema: GraphQLSchema) -> frozenset[tuple[str, str]]:
    """Type and field of the lists whose size is said one level above."""
    return frozenset(
        (get_named_type(field.type).name, name)
        for each in schema.type_map.values()
        if isinstance(each, GraphQLObjectType)
        for field in each.fields.values()
        if (listing := _listing(field)) is not None
        for name in listing.sized_fields or ()
    )


def _sum(terms: Iterable[Points]) -> Points:
    total: Points = {}
    for points in terms:
        for slices, count in points.items():
            total[slices] = total.get(slices, 0) + count
    return total


def _dearest(alternatives: Iterable[Points]) -> Points:
    most: Points = {}
    for points in alternatives:
        for slices, count in points.items():
            most[slices] = max(most.get(slices, 0), count)
    return most


def _scaled(points: Points, size: Size) -> Points:
    if isinstance(size, int):
        return {slices: count * size for slices, count in points.items()}
    return {(*slices, size): count for slices, count in points.items()}


def _replaced(points: Points, size: Size) -> Points:
    """With a size in the place of the one that is inherited."""
    return _sum(
        _scaled({tuple(each for each in slices if each is not _INHERITED): count}, size)
        if _INHERITED in slices
        else {slices: count}
        for slices, count in points.items()
    )
