"""Operations that hypothesis makes of the schema: any fields, under any names, in any fragments."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from graphql import GraphQLObjectType, get_named_type, is_composite_type, is_interface_type
from hypothesis import strategies as st

from graphql_api.limits import MAX_ALIASES
from graphql_api.schema import build_schema
from tests.graphql_api.planned_operations import SORTS

_SCHEMA = build_schema(production=False)._schema
_DEPTH = 5
_TYPES = {
    "id": "ID!",
    "draft": "ID!",
    "variant": "ID!",
    "ids": "[ID!]!",
    "mixed": "[ID!]!",
    "after": "String",
    "found": "String",
    "order": "String",
    "first": "Int",
    "sort": "ProductSort",
    "filter": "ProductFilter",
    "tag": "String",
    "state": "OrderState",
    "yes": "Boolean!",
    "no": "Boolean!",
}
_PAGES = ("", "first: 1", "first: 3", "first: 100", "first: $first")
_FILTERS = ("", "filter: $filter", "filter: {tag: $tag}", 'filter: {vendor: "Ridge", inStock: true}', "filter: {}")
_ARGUMENTS: dict[str, list[tuple[str, ...]]] = {  # of each argument, or of some together, one
    "product": [('handle: "strange"', 'handle: "old-name"', 'handle: "draft"', "id: $id", "id: $draft")],
    "products": [_PAGES, ("", "after: $after"), _FILTERS],
    "search": [('query: "jack"', 'query: "ridge 1"', 'query: "x"'), _PAGES, ("", "after: $found")],
    "categories": [],
    "order": [('id: "ord_0"', 'id: "ord_2"', 'id: "ord_9"')],
    "orders": [_PAGES, ("", "after: $order"), ("", "filter: {state: $state}", "filter: {state: paid}")],
    "node": [("id: $id", "id: $variant", "id: $draft", 'id: "ord_1"', 'id: "x"')],
    "nodes": [("ids: $ids", "ids: $mixed", 'ids: ["ord_1", "ord_4"]')],
}


@dataclass
class _Writing:
    """One operation, while it is made."""

    draw: Callable[[st.SearchStrategy[Any]], Any]
    aliases: int = 0
    fragments: list[str] = field(default_factory=list)

    def one_of(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def root(self) -> str:
        name = self.one_of(*_ARGUMENTS)
        arguments = [chosen for choices in _ARGUMENTS[name] if (chosen := self.one_of(*choices))]
        if name == "products" and "$after" not in str(arguments):
            arguments.append(self.one_of("", "sort: $sort", *(f"sort: {sort}" for sort in SORTS)))
        given = f"({', '.join(filter(None, arguments))})" if any(arguments) else ""
        below = self.selection(get_named_type(_SCHEMA.query_type.fields[name].type), _DEPTH)  # type: ignore[union-attr]
        return f"{self.alias()}: {name}{given}{self.directive()} {below}"

    def alias(self) -> str:
        self.aliases += 1
        return f"a{self.aliases}"

    def directive(self) -> str:
        return str(self.one_of("", "", "", "", " @include(if: $yes)", " @skip(if: $no)", " @skip(if: $yes)"))

    def selection(self, of: Any, depth: int) -> str:
        if is_interface_type(of):
            parts = [f"... on {each.name} {self.selection(each, depth)}" for each in _SCHEMA.get_possible_types(of)]
            return "{ id __typename " + " ".join(parts[: self.one_of(1, 2, 3)]) + " }"
        number = self.one_of(1, 2, 4, 8)
        return "{ " + " ".join(self.part(of, depth) for _ in range(number)) + " }"

    def part(self, of: GraphQLObjectType, depth: int) -> str:
        kind = self.one_of("field", "field", "field", "field", "field", "inline", "spread")
        if kind == "inline" and depth > 1:
            return f"...{self.one_of('', f' on {of.name}')}{self.directive()} {self.selection(of, depth - 1)}"
        if kind == "spread" and depth > 1:
            name = f"F{len(self.fragments)}"
            self.fragments.append("")
            self.fragments[int(name[1:])] = f"fragment {name} on {of.name} {self.selection(of, depth - 1)}"
            return f"...{name}{self.directive()}"
        return self.field(of, depth)

    def field(self, of: GraphQLObjectType, depth: int) -> str:
        names = [
            name for name, each in of.fields.items() if depth > 1 or not is_composite_type(get_named_type(each.type))
        ]
        name = self.one_of("__typename", *names)
        named = f"{self.alias()}: {name}" if self.aliases < MAX_ALIASES and self.one_of(True, False, False) else name
        inner = None if name == "__typename" else get_named_type(of.fields[name].type)
        below = f" {self.selection(inner, depth - 1)}" if inner is not None and is_composite_type(inner) else ""
        return f"{named}{self.directive()}{below}"


@st.composite
def operations(draw: Callable[[st.SearchStrategy[Any]], Any]) -> str:
    writing = _Writing(draw)
    roots = [writing.root() for _ in range(writing.one_of(1, 1, 2, 3))]
    text = " ".join(["{ __typename", *roots, "}", *writing.fragments])
    declared = ", ".join(f"${name}: {kind}" for name, kind in _TYPES.items() if _uses(text, name))
    return f"query{f'({declared})' if declared else ''} {text}"


def _uses(text: str, variable: str) -> bool:
    return any(f"${variable}{end}" in text for end in "),} ")
