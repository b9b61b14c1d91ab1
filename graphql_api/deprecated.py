"""What the schema deprecates, and which of it an operation uses: fields, arguments, input fields, enum values.

Each is known by its schema coordinate (the GraphQL specification's RFC): `Type.field`, `Type.field(argument:)`,
`Input.field`, `Enum.VALUE`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from graphql import (
    EnumValueNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    Node,
    ObjectFieldNode,
    OperationDefinitionNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    get_named_type,
    type_from_ast,
    visit,
)

from commerce.usage.entities import Deprecation
from graphql_api.documents import by_text
from graphql_api.limits import parsed


@cache
def reasons(schema: GraphQLSchema) -> Mapping[str, str]:
    """Of all that is deprecated, by coordinate."""
    members = (member for each in schema.type_map.values() for member in _members(each))
    return {
        coordinate: member.deprecation_reason for coordinate, member in members if member.deprecation_reason is not None
    }


def deprecations(schema: GraphQLSchema) -> list[Deprecation]:
    return [Deprecation("graphql", coordinate, reason) for coordinate, reason in reasons(schema).items()]


def _members(each: GraphQLNamedType) -> Iterator[tuple[str, Any]]:
    if isinstance(each, GraphQLObjectType | GraphQLInterfaceType):
        for name, field in each.fields.items():
            yield f"{each.name}.{name}", field
            for argument, value in field.args.items():
                yield f"{each.name}.{name}({argument}:)", value
    elif isinstance(each, GraphQLInputObjectType):
        yield from ((f"{each.name}.{name}", field) for name, field in each.fields.items())
    elif isinstance(each, GraphQLEnumType):
        yield from ((f"{each.name}.{name}", value) for name, value in each.values.items())


def used(schema: GraphQLSchema, text: str, operation_name: str | None, variables: dict[str, Any]) -> set[str]:
    """The coordinates that the operation of a valid document uses, itself and in the variables that it is sent with."""
    if not reasons(schema):
        return set()
    found = _found(schema, text, operation_name)
    in_variables = (
        coordinate
        for name, kind in found.variables.items()
        if name in variables
        for coordinate in _of_value(kind, variables[name])
    )
    return {*found.coordinates, *(each for each in in_variables if each in reasons(schema))}


@dataclass(frozen=True, slots=True)
class _Found:
    """Of an operation, whatever its variables are. `variables` are those whose values can hold more."""

    coordinates: frozenset[str]
    variables: Mapping[str, GraphQLNamedType]


@by_text(position=1)
def _found(schema: GraphQLSchema, text: str, operation_name: str | None) -> _Found:
    operation, fragments = _parts(text, operation_name)
    types = TypeInfo(schema)
    finder = _Finder(types)
    for node in (operation, *fragments):
        visit(node, TypeInfoVisitor(types, finder))
    holding = _holding(schema)
    declared = {
        each.variable.name.value: get_named_type(type_from_ast(schema, each.type))
        for each in operation.variable_definitions or ()
    }
    variables = {name: kind for name, kind in declared.items() if kind is not None and kind.name in holding}
    return _Found(frozenset(finder.met & reasons(schema).keys()), variables)


def _parts(text: str, operation_name: str | None) -> tuple[OperationDefinitionNode, list[FragmentDefinitionNode]]:
    """The operation, and the fragments that it spreads, each once."""
    definitions = parsed(text).definitions
    (operation,) = (
        node
        for node in definitions
        if isinstance(node, OperationDefinitionNode)
        and (operation_name is None or (node.name is not None and node.name.value == operation_name))
    )
    fragments = {node.name.value: node for node in definitions if isinstance(node, FragmentDefinitionNode)}
    spread: dict[str, FragmentDefinitionNode] = {}
    waiting: list[Node] = [operation]
    while waiting:
        spreads = _Spreads()
        visit(waiting.pop(), spreads)
        for name in spreads.names - spread.keys():
            spread[name] = fragments[name]
            waiting.append(fragments[name])
    return operation, list(spread.values())


class _Spreads(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def enter_fragment_spread(self, node: FragmentSpreadNode, *_: Any) -> None:
        self.names.add(node.name.value)


class _Finder(Visitor):
    """Collects the coordinates of all members that are named, deprecated or not."""

    def __init__(self, types: TypeInfo) -> None:
        super().__init__()
        self.met: set[str] = set()
        self._types = types

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        field = f"{self._types.get_parent_type()}.{node.name.value}"
        self.met |= {field, *(f"{field}({argument.name.value}:)" for argument in node.arguments or ())}

    def enter_object_field(self, node: ObjectFieldNode, *_: Any) -> None:
        self.met.add(f"{get_named_type(self._types.get_parent_input_type())}.{node.name.value}")

    def enter_enum_value(self, node: EnumValueNode, *_: Any) -> None:
        self.met.add(f"{get_named_type(self._types.get_input_type())}.{node.value}")


@cache
def _holding(schema: GraphQLSchema) -> frozenset[str]:
    """The names of the input types whose values can use something deprecated, in whatever depth."""
    deprecated = {coordinate.partition(".")[0] for coordinate in reasons(schema)}
    inputs = [each for each in schema.type_map.values() if isinstance(each, GraphQLInputObjectType)]
    enums = {each.name for each in schema.type_map.values() if isinstance(each, GraphQLEnumType)}
    holding = deprecated & {*enums, *(each.name for each in inputs)}
    known = -1
    while len(holding) > known:
        known = len(holding)
        holding |= {
            each.name
            for each in inputs
            if any(get_named_type(field.type).name in holding for field in each.fields.values())
        }
    return frozenset(holding)


def _of_value(kind: GraphQLNamedType, value: Any) -> Iterator[str]:
    """The coordinates in a variable's value. It may be of another shape than its type: then it is refused elsewhere."""
    waiting: list[tuple[GraphQLNamedType, Any]] = [(kind, value)]
    while waiting:
        kind, value = waiting.pop()
        if isinstance(value, list):
            waiting.extend((kind, each) for each in value)
        elif isinstance(kind, GraphQLEnumType) and isinstance(value, str):
            yield f"{kind.name}.{value}"
        elif isinstance(kind, GraphQLInputObjectType) and isinstance(value, dict):
            for name in value.keys() & kind.fields.keys():
                yield f"{kind.name}.{name}"
                waiting.append((get_named_type(kind.fields[name].type), value[name]))
