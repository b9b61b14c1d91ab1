"""Text that no database of ours stores: NUL, and half of a surrogate pair. Both have escapes in JSON and in GraphQL."""

import re
from typing import Any

from graphql import GraphQLError, StringValueNode
from graphql.validation import ASTValidationRule

_UNSTORABLE = re.compile("[\\0\\ud800-\\udfff]")
_MESSAGE = "Text may hold neither NUL nor a lone surrogate"


class StorableTextRule(ASTValidationRule):
    """Of the document's own values."""

    def enter_string_value(self, node: StringValueNode, *_: Any) -> None:
        if not _is_storable(node.value):
            self.report_error(GraphQLError(_MESSAGE, node))


def faults_of_variables(variables: dict[str, Any] | None) -> list[GraphQLError]:
    waiting: list[Any] = [variables]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            if not _is_storable(value):
                return [GraphQLError(_MESSAGE)]
        elif isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return []


def _is_storable(text: str) -> bool:
    return _UNSTORABLE.search(text) is None
