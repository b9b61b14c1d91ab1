"""What a request makes the server do: tokens it reads, fields it executes, statements it sends."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from graphql.language import Lexer, Token
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from core.resources import Resources
from tests.factories.statements import recorded


@dataclass
class Effort:
    tokens: int = 0
    fields: int = 0
    statements: list[str] = field(default_factory=list)


@contextmanager
def measured(resources: Resources) -> Iterator[Effort]:
    """Of the whole process, while the block runs."""
    effort = Effort()
    read, execute = Lexer.read_next_token, StrawberryGraphQLCoreExecutionContext.execute_field

    def count_token(self: Lexer, start: int) -> Token:
        effort.tokens += 1
        return read(self, start)

    def count_field(self: Any, *given: Any, **named: Any) -> Any:
        effort.fields += 1
        return execute(self, *given, **named)

    with pytest.MonkeyPatch.context() as patch, recorded(resources.database.reader) as sent:
        patch.setattr(Lexer, "read_next_token", count_token)
        patch.setattr(StrawberryGraphQLCoreExecutionContext, "execute_field", count_field)
        effort.statements = sent
        yield effort
