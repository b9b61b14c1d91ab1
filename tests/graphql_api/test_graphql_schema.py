"""What the schema says about itself."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLSchema,
    is_input_object_type,
    is_interface_type,
    is_introspection_type,
    is_object_type,
    is_specified_directive,
    is_specified_scalar_type,
)
from graphql import (
    build_schema as schema_of,
)

from graphql_api.schema import build_schema

# A member with its schema coordinate, and its siblings by name.
Member = tuple[str, Any, dict[str, Any]]
_SUCCESSOR = re.compile(r"Use `(\w+)[^`]*`\.")


def members(schema: GraphQLSchema) -> Iterator[Member]:
    """Types, fields, arguments, input fields, enum values, and directives with their arguments."""
    for name, kind in schema.type_map.items():
        if is_introspection_type(kind) or is_specified_scalar_type(kind):
            continue
        yield name, kind, {}
        if isinstance(kind, GraphQLEnumType):
            yield from ((f"{name}.{value}", each, kind.values) for value, each in kind.values.items())
        if is_object_type(kind) or is_interface_type(kind) or is_input_object_type(kind):
            for field, each in kind.fields.items():
                yield f"{name}.{field}", each, kind.fields
                arguments = getattr(each, "args", {})
                yield from ((f"{name}.{field}({arg}:)", one, arguments) for arg, one in arguments.items())
    for directive in schema.directives:
        if not is_specified_directive(directive) and directive.name != "oneOf":
            yield f"@{directive.name}", directive, {}


def bare(schema: GraphQLSchema) -> list[str]:
    return [name for name, member, _ in members(schema) if not (member.description or "").strip()]


def unsucceeded(schema: GraphQLSchema) -> list[str]:
    """What is deprecated without naming, among its siblings, what to use instead."""
    found = []
    for name, member, siblings in members(schema):
        reason = getattr(member, "deprecation_reason", None)
        named = _SUCCESSOR.fullmatch(reason) if reason is not None else None
        if reason is not None and (named is None or named[1] not in siblings):
            found.append(name)
    return found


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    """As it is published."""
    return schema_of(build_schema(production=True).as_str())


def test_everything_is_described(schema: GraphQLSchema) -> None:
    assert bare(schema) == []
    assert len(list(members(schema))) > 300
    assert {directive.name for directive in schema.directives} >= {"cost", "listSize", "oneOf"}


def test_what_is_deprecated_names_its_successor(schema: GraphQLSchema) -> None:
    deprecated = [name for name, member, _ in members(schema) if getattr(member, "deprecation_reason", None)]

    assert deprecated == ["OrderLineInput.variantId", "OrderLineInput.sku"]
    assert unsucceeded(schema) == []


def test_what_is_missing_would_be_seen() -> None:
    faulty = schema_of("""
      "said" directive @told on FIELD_DEFINITION
      directive @bare on FIELD_DEFINITION
      "said" type Query { "said" a(b: Int, "said" c: Int @deprecated(reason: "Use `b`.")): E f(i: I): Int }
      enum E { X "said" Y @deprecated(reason: "No more.") }
      "said" input I { g: Int "said" h: Int @deprecated(reason: "Use `gone`.") }
    """)

    assert bare(faulty) == ["Query.a(b:)", "Query.f", "Query.f(i:)", "E", "E.X", "I.g", "@bare"]
    assert unsucceeded(faulty) == ["E.Y", "I.h"]
