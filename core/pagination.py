"""Two ways to page: numbered pages with a total (bounded depth), and keyset pages with an opaque cursor (any depth).

Keyset: "no offset", rows after the last one seen, by (sort value, id) (use-the-index-luke.com/no-offset).
"""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, String, and_, or_

from core.direct import Bind, filled
from core.errors import FieldError, Invalid
from core.projections.sql import moment

T = TypeVar("T")
MAX_SIZE = 100
MAX_DEPTH = 10_000


class InvalidCursor(Invalid):
    """A cursor was not made by this operation with this sort order. Start again without one."""

    code = "invalid_cursor"
    title = "Invalid cursor"


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    items: Sequence[T]
    page: int
    size: int
    total: int


@dataclass(frozen=True, slots=True)
class Slice(Generic[T]):
    """A keyset page. `cursors` has one entry an item; `has_next` says whether more follow."""

    items: Sequence[T]
    cursors: Sequence[str]
    has_next: bool
    total: int | None = None

    @property
    def next_cursor(self) -> str | None:
        return self.cursors[-1] if self.has_next else None


@dataclass(frozen=True, slots=True)
class Keyset:
    """A total order: one column that may repeat, then the unique id, both in the same direction."""

    name: str
    column: ColumnElement[Any]
    tie_breaker: ColumnElement[str]
    descending: bool = False

    def order(self) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
        if self.descending:
            return self.column.desc(), self.tie_breaker.desc()
        return self.column.asc(), self.tie_breaker.asc()

    def after(self, statement: Select[*tuple[Any, ...]], cursor: str) -> Select[*tuple[Any, ...]]:
        """The rows after the cursor's. Raises InvalidCursor."""
        return statement.where(*self.following(filled(self.position_of(cursor))))

    def following(self, bind: Bind) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        """The rows after a position."""
        column, tie_breaker = self.column, self.tie_breaker
        value, row_id = bind("after_value", column.type), bind("after_id", String())
        if self.descending:
            return column <= value, or_(column < value, and_(column == value, tie_breaker < row_id))
        return column >= value, or_(column > value, and_(column == value, tie_breaker > row_id))

    def position_of(self, cursor: str) -> dict[str, Any]:
        """What `following` compares with. Raises InvalidCursor."""
        value, row_id = self._decode(cursor)
        return {"after_value": value, "after_id": row_id}

    def shown(self, dialect: str) -> ColumnElement[Any]:
        """The column as a cursor has it: `encode` takes it without a datetime being made."""
        return moment(self.column, dialect, "+00:00") if self.column.type.python_type is datetime else self.column

    def encode(self, value: object, row_id: str) -> str:
        plain = value.isoformat() if isinstance(value, datetime) else value
        data = json.dumps([self._label(), plain, row_id], separators=(",", ":"), ensure_ascii=False)
        return base64.urlsafe_b64encode(data.encode()).decode().rstrip("=")

    def _label(self) -> str:
        return f"-{self.name}" if self.descending else self.name

    def _decode(self, cursor: str) -> tuple[Any, str]:
        parse: Callable[[Any], Any] = _PARSERS[self.column.type.python_type]
        try:
            label, value, row_id = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
            if label != self._label():
                raise ValueError
            return parse(value), _text(row_id)
        except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error):
            fault = FieldError("/query/after", "invalid_cursor", "not a cursor of this list in this order")
            raise InvalidCursor(errors=(fault,)) from None


def _integer(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 2**63:
        raise ValueError
    return value


def _text(value: object) -> str:
    # Neither NUL nor a lone surrogate can be sent to PostgreSQL; `encode` makes the ValueError of the latter.
    if not isinstance(value, str) or b"\0" in value.encode():
        raise ValueError
    return value


def _moment(value: Any) -> datetime:
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError
    return moment.astimezone(UTC)


_PARSERS: dict[type, Callable[[Any], Any]] = {int: _integer, str: _text, datetime: _moment}
