"""Look-ahead: what an operation asks for below one of its fields, so that SQL reads that and no more.

What a field reads is declared beside it (`graphql_api.fields`); this finds the fields. Fragments, aliases, @skip and
@include are followed as the executor follows them. It does not matter what is between the field and the type, such as a
connection and its edges, an interface, a union: all that is asked of the type, wherever below the field, counts.
"""

from collections.abc import Iterator
from typing import Any, cast

from graphql import GraphQLNamedType, GraphQLObjectType, GraphQLResolveInfo, get_named_type, is_abstract_type
from graphql.execution.collect_fields import FieldDetails, FragmentDetails, collect_subfields
from graphql.execution.values import VariableValues
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types import get_object_definition

from graphql_api.context import Context, Info
from graphql_api.fields import reads_of


def asked(info: Info, of: type) -> frozenset[str]:
    """The names, in the schema, of the type's fields that are asked for below this field."""
    return frozenset(name for _, name in _fields(info._raw_info, _name(of)))  # noqa: SLF001


def columns(info: Info, of: type) -> frozenset[str]:
    """What the fields that are asked for read of the type's row. Found once for all objects of a list."""
    raw = info._raw_info  # noqa: SLF001
    key = (of, *map(id, raw.field_nodes))
    known = info.context.columns
    if key not in known:
        known[key] = frozenset(
            read
            for shown, name in _fields(raw, _name(of))
            for read in reads_of(shown.fields[name].extensions[GraphQLCoreConverter.DEFINITION_BACKREF])
        )
    return known[key]


def _name(of: type) -> str:
    return get_object_definition(of, strict=True).name


def _fields(raw: GraphQLResolveInfo[Context], wanted: str) -> Iterator[tuple[GraphQLObjectType, str]]:
    """Each field that is asked of the type with this name, and the type."""
    fragments = {name: FragmentDetails(definition) for name, definition in raw.fragments.items()}
    variables = VariableValues({}, cast("dict[str, Any]", raw.variable_values))  # Strawberry hands on the plain values
    waiting = [(get_named_type(raw.return_type), [FieldDetails(node, None) for node in raw.field_nodes])]
    while waiting:
        of, nodes = waiting.pop()
        for each in _objects(raw, of):
            found = collect_subfields(raw.schema, fragments, variables, raw.operation, each, nodes)
            for details in found.grouped_field_set.values():
                name = details[0].node.name.value
                if name not in each.fields:  # __typename
                    continue
                if each.name == wanted:
                    yield each, name
                else:
                    waiting.append((get_named_type(each.fields[name].type), details))


def _objects(raw: GraphQLResolveInfo[Context], of: GraphQLNamedType) -> list[GraphQLObjectType]:
    """What an object of the type can be; nothing for a scalar."""
    if is_abstract_type(of):
        return list(raw.schema.get_possible_types(of))
    return [of] if isinstance(of, GraphQLObjectType) else []
