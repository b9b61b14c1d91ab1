"""Text that no database of ours stores: NUL, and half of a surrogate pair. Both have escapes in JSON and in GraphQL."""

import re
from typing import Any

from graphql import GraphQLError, StringValueNode
from graphql.validation import ASTValidationRule

_NEITHER = re.compile("[\\0\\ud800-\\udfff]")
UNSTORABLE = "Text may hold neither NUL nor a lone surrogate"


class StorableTextRule(ASTValidationRule):
    """Of the document's own values."""

    def enter_string_value(self, node: StringValueNode, *_: Any) -> None:
        if not is_storable(node.value):
            self.report_error(GraphQLError(UNSTORABLE, node))


def is_storable(text: str) -> bool:
    return _NEITHER.search(text) is None
