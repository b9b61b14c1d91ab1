"""How much one request may bring, each bound with a message of its own, checked before any resolver runs: the size of
the document, its depth, its aliases and the like, and of its variables. What it costs is `graphql_api.cost`'s.

The rules are made once, here: Strawberry's own limiters make a new class a request, which no validation cache can
hit, and walk fragments once for each way that leads to them, which a small document turns into years (2^n for n
fragments that each spread the next one twice). These count every fragment once.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from graphql import (
    DirectiveNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    Node,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    SelectionSetNode,
    parse,
    specified_rules,
    validate,
)
from graphql.language import DocumentNode
from graphql.validation import ASTValidationContext, ASTValidationRule
from graphql.validation.specified_rules import recommended_rules
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from graphql_api.documents import by_text
from graphql_api.text import UNSTORABLE, StorableTextRule, is_storable

# Of a request as the application holds it, what was sent or what it inflates to; and of a message.
MAX_BODY_BYTES = 256 * 1024
MAX_CHARACTERS = 64 * 1024  # comments and white space are read too, one by one
MAX_TOKENS = 1000  # five times the introspection query of GraphiQL
MAX_OPERATIONS = 20
MAX_ROOT_FIELDS = 20
MAX_DEPTH = 12  # products.edges.node.variants.price.amount is 6
MAX_INTROSPECTION_DEPTH = 16  # GraphiQL's query is 14 deep
MAX_ALIASES = 20
MAX_DIRECTIVES = 50
MAX_FRAGMENTS = 50
MAX_SAME = 1_000  # pairs of fields of one name at one place: each is compared, with all that is below it
MAX_DIGITS = 100
MAX_VALUES = 10_000  # in the variables: a product with all that it may have is some thousands

Rules = tuple[type[ASTValidationRule], ...]


class DepthRule(ASTValidationRule):
    def __init__(self, context: ASTValidationContext) -> None:
        super().__init__(context)
        depth_of = _folded(context.document, lambda _field, below: 1 + below, max)
        for operation in _operations(context.document):
            for field in _root_fields(operation, context.document):
                introspective = field.name.value.startswith("__")
                limit = MAX_INTROSPECTION_DEPTH if introspective else MAX_DEPTH
                if 1 + depth_of(field.selection_set) > limit:
                    context.report_error(GraphQLError(f"The operation is more than {limit} fields deep", field))


class AliasRule(ASTValidationRule):
    """Each use of an alias inside a fragment counts as often as the fragment is spread."""

    def __init__(self, context: ASTValidationContext) -> None:
        super().__init__(context)
        aliases_of = _folded(context.document, lambda field, below: bool(field.alias) + below, lambda a, b: a + b)
        for operation in _operations(context.document):
            if aliases_of(operation.selection_set) > MAX_ALIASES:
                context.report_error(GraphQLError(f"The operation has more than {MAX_ALIASES} aliases", operation))


class RootFieldRule(ASTValidationRule):
    """Each use of a field inside a fragment counts as often as the fragment is spread."""

    def __init__(self, context: ASTValidationContext) -> None:
        super().__init__(context)
        fields_of = _folded(context.document, lambda _field, _below: 1, lambda a, b: a + b)
        operations = list(_operations(context.document))
        if len(operations) > MAX_OPERATIONS:
            context.report_error(GraphQLError(f"The document has more than {MAX_OPERATIONS} operations"))
        for operation in operations:
            if fields_of(operation.selection_set) > MAX_ROOT_FIELDS:
                message = f"The operation has more than {MAX_ROOT_FIELDS} fields at its root"
                context.report_error(GraphQLError(message, operation))


class DirectiveRule(ASTValidationRule):
    """Of the whole document, wherever they stand."""

    def __init__(self, context: ASTValidationContext) -> None:
        super().__init__(context)
        self._count = 0

    def enter_directive(self, node: DirectiveNode, *_: Any) -> None:
        self._count += 1
        if self._count == MAX_DIRECTIVES + 1:
            self.report_error(GraphQLError(f"The document has more than {MAX_DIRECTIVES} directives", node))


class FragmentRule(ASTValidationRule):
    """Of the whole document, used or not: other rules walk from each of them."""

    def __init__(self, context: ASTValidationContext) -> None:
        super().__init__(context)
        found = [node for node in context.document.definitions if isinstance(node, FragmentDefinitionNode)]
        if len(found) > MAX_FRAGMENTS:
            context.report_error(GraphQLError(f"The document has more than {MAX_FRAGMENTS} fragments", found[-1]))


class SameFieldRule(ASTValidationRule):
    """What one answer has once may be asked for again and again, directly, by fragments, and below fields that are
    asked for again: whether it can be one, GraphQL's own rule asks of each two of them.
    """

    def __init__(self, context: ASTValidationContext) -> None:
        super().__init__(context)
        self._fragments = _fragments(context.document)
        self._waiting: list[tuple[SelectionSetNode, ...]] = [
            (node.selection_set,)
            for node in context.document.definitions
            if isinstance(node, OperationDefinitionNode | FragmentDefinitionNode)
        ]
        if self._is_beyond():
            message = f"More than {MAX_SAME:,} pairs of fields have the same name and the same place"
            context.report_error(GraphQLError(message))

    def _is_beyond(self) -> bool:
        seen, pairs = set[tuple[int, ...]](), 0
        while self._waiting and pairs <= MAX_SAME:
            place = self._waiting.pop()
            key = tuple(map(id, place))
            if key not in seen:
                seen.add(key)
                pairs += self._pairs(place)
        return pairs > MAX_SAME

    def _pairs(self, place: Sequence[SelectionSetNode]) -> int:
        """Of the selections that are one in the answer; what is below them waits."""
        named: dict[str, list[FieldNode]] = defaultdict(list)
        for field in _fields(place, self._fragments):
            named[(field.alias or field.name).value].append(field)
        for fields in named.values():
            below = tuple(field.selection_set for field in fields if field.selection_set)
            if below:
                self._waiting.append(below)
        return sum(len(fields) * (len(fields) - 1) // 2 for fields in named.values())


class NumberRule(ASTValidationRule):
    """Python refuses to read numbers of thousands of digits."""

    def enter_int_value(self, node: IntValueNode, *_: Any) -> None:
        if len(node.value) > MAX_DIGITS:
            self.report_error(GraphQLError(f"A number has more than {MAX_DIGITS} digits", node))


def _folded(
    document: DocumentNode, count: Callable[[FieldNode, int], int], join: Callable[[int, int], int]
) -> Callable[[SelectionSetNode | None], int]:
    """Folds the fields of a selection and of all below it. A fragment that spreads itself counts as empty there:
    another rule refuses it.
    """
    fragments = _fragments(document)
    known: dict[str, int] = {}

    def fold(selection_set: SelectionSetNode | None) -> int:
        total = 0
        for selection in selection_set.selections if selection_set else ():
            if isinstance(selection, FieldNode):
                value = count(selection, fold(selection.selection_set))
            elif isinstance(selection, FragmentSpreadNode):
                value = fold_fragment(selection.name.value)
            elif isinstance(selection, InlineFragmentNode):
                value = fold(selection.selection_set)
            total = join(total, value)
        return total

    def fold_fragment(name: str) -> int:
        if name not in known:
            known[name] = 0
            known[name] = fold(fragments.get(name))
        return known[name]

    return fold


def _fragments(document: DocumentNode) -> dict[str, SelectionSetNode]:
    return {
        node.name.value: node.selection_set for node in document.definitions if isinstance(node, FragmentDefinitionNode)
    }


def _operations(document: DocumentNode) -> Iterator[OperationDefinitionNode]:
    return (node for node in document.definitions if isinstance(node, OperationDefinitionNode))


def _root_fields(operation: OperationDefinitionNode, document: DocumentNode) -> Iterator[FieldNode]:
    return _fields([operation.selection_set], _fragments(document))


def _fields(place: Sequence[SelectionSetNode], fragments: dict[str, SelectionSetNode]) -> Iterator[FieldNode]:
    """With those of fragments, each of which is taken once."""
    seen = set[str]()
    waiting: list[Node] = [node for selected in place for node in selected.selections]
    while waiting:
        node = waiting.pop()
        if isinstance(node, FieldNode):
            yield node
        elif isinstance(node, InlineFragmentNode):
            waiting.extend(node.selection_set.selections)
        elif isinstance(node, FragmentSpreadNode) and node.name.value not in seen:
            seen.add(node.name.value)
            found = fragments.get(node.name.value)
            waiting.extend(found.selections if found else ())


LIMITS: Rules = (DepthRule, AliasRule, RootFieldRule, DirectiveRule, NumberRule, FragmentRule, SameFieldRule)
RULES: Rules = (
    *specified_rules,
    *recommended_rules,
    MaybeNullValidationRule,
    OneOfInputValidationRule,
    StorableTextRule,
)
RULES_WITHOUT_INTROSPECTION: Rules = (*RULES, NoSchemaIntrospectionCustomRule)


@by_text()
def parsed(text: str) -> DocumentNode:
    """Raises GraphQLSyntaxError."""
    return parse(text, max_tokens=MAX_TOKENS, max_source_length=MAX_CHARACTERS)


@by_text(position=1)
def faults(schema: GraphQLSchema, text: str, rules: Rules) -> tuple[GraphQLError, ...]:
    """What is wrong with a document that parses. Keyed by its text: to hash a syntax tree costs as much as to walk
    it. The limits come first, so that no costlier rule sees a document beyond them.
    """
    document = parsed(text)
    return tuple(validate(schema, document, LIMITS) or validate(schema, document, rules))


def faults_of_variables(variables: dict[str, Any] | None) -> list[GraphQLError]:
    """Of their number, counting each value at every depth, and of their text. Their types are checked later."""
    waiting: list[Any] = [variables]
    count = 0
    while waiting:
        value = waiting.pop()
        count += 1
        if isinstance(value, str):
            if not is_storable(value):
                return [GraphQLError(UNSTORABLE)]
        elif isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
        if count + len(waiting) > MAX_VALUES:
            return [GraphQLError(f"The variables hold more than {MAX_VALUES} values")]
    return []
