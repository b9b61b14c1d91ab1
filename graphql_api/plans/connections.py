"""Connections: the columns that a page needs for what is asked of it, and its JSON, written of their rows."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from graphql import GraphQLObjectType, get_named_type
from graphql.execution.collect_fields import FieldDetails
from pydantic_core import to_json
from sqlalchemy import ColumnElement, Text, cast, null

from core.direct import Bind, Row
from core.pagination import Keyset
from core.projections.fields import Projection, Shape
from core.projections.listing import Paging
from graphql_api.pagination import check_page
from graphql_api.plans.parts import Bound, Part, Rows, Whole, array
from graphql_api.plans.selection import TYPENAME, Selection

NO_JSON: ColumnElement[str] = null()  # type: ignore[assignment]  # in the place of the columns that a connection adds


@dataclass(frozen=True, slots=True)
class Source:
    """Which items. `kind` and `values` are as those of `Bound`; `order` makes and reads cursors. `page` is as `listed`
    makes it, `count` as `counted` (`core.projections.listing`), and `whole` as `Bound`'s.
    """

    kind: Hashable
    values: Mapping[str, Any]
    order: Keyset
    page: Callable[[Bind, Paging], Part]
    count: Callable[[Bind], Part]
    whole: Whole | None = None


@dataclass(frozen=True, slots=True)
class _Page:
    rows: Rows
    cursors: Sequence[str]  # where they are shown
    has_next: bool
    has_previous: bool
    total: str


_Writer: TypeAlias = Callable[[_Page], str]
_Writers: TypeAlias = Callable[[str, GraphQLObjectType, list[FieldDetails]], _Writer]  # by the field's name and type


class Connection:
    """What is asked of one, without its arguments."""

    def __init__(self, selection: Selection, details: list[FieldDetails], of: str, projection: Projection) -> None:
        """Raises NotProjectable."""
        self._selection = selection
        self._projection = projection
        self._shapes: list[Shape] = []
        self._shows_page = self._shows_cursors = self._looks_ahead = self._shows_total = False
        self._write = self._object(selection.type_named(of), details, self._of_connection)

    def bound(self, source: Source, first: int | None, after: str | None, dialect: str) -> Bound:
        """Raises Invalid, InvalidCursor."""
        size = check_page(first, after)
        position = source.order.position_of(after) if after is not None else {}
        limit = size + 1 if self._looks_ahead else size

        def parts(bind: Bind) -> list[Part]:
            return self._parts(source, bind, dialect, Paging(limit, after=after is not None))

        def write(found: Sequence[Rows]) -> str:
            rows = found[0][:size] if self._shows_page else ()
            cursors = [_cursor(source.order, row) for row in rows] if self._shows_cursors else ()
            has_next = self._shows_page and len(found[0]) > size
            total = found[-1][0][0] if self._shows_total else ""
            return self._write(_Page(rows, cursors, has_next, after is not None, total))

        kind = source.kind, after is not None, limit
        return Bound(kind, {**source.values, **position}, parts, write, source.whole if self._shows_total else None)

    def _parts(self, source: Source, bind: Bind, dialect: str, paging: Paging) -> list[Part]:
        """As far as they are shown. All columns are texts."""
        found: list[Part] = []
        if self._shows_page:
            page = source.page(bind, paging)
            keys = page.selected_columns
            texts: list[ColumnElement[Any]] = [self._projection.json(shape, dialect) for shape in self._shapes]
            if self._shows_cursors:
                texts += [cast(keys["shown"], Text), keys["id"]]
            # What is inside of products alone, such as their images, names no table by itself.
            found.append(page.with_only_columns(*texts or [keys["id"]], maintain_column_froms=True))
        if self._shows_total:
            counted = source.count(bind)
            found.append(counted.with_only_columns(cast(counted.selected_columns[0], Text)))
        return found

    def _object(self, of: GraphQLObjectType, details: list[FieldDetails], writers: _Writers) -> _Writer:
        written: list[tuple[str, _Writer]] = []
        for key, name, below in self._selection.fields(of, details):
            label = to_json(key).decode() + ":"
            if name == TYPENAME:
                written.append((f'{label}"{of.name}"', lambda _page: ""))
            else:
                inner: Any = get_named_type(of.fields[name].type)
                written.append((label, writers(name, inner, below)))
        return lambda page: "{" + ",".join([label + write(page) for label, write in written]) + "}"

    def _of_connection(self, name: str, inner: GraphQLObjectType, below: list[FieldDetails]) -> _Writer:
        if name == "totalCount":
            self._shows_total = True
            return lambda page: page.total
        self._shows_page = True
        if name == "pageInfo":
            return self._object(inner, below, self._of_page_info)
        if name == "nodes":
            column = self._column(inner, below)
            return lambda page: array([row[column] for row in page.rows])
        return self._edges(inner, below)

    def _of_page_info(self, name: str, *_: Any) -> _Writer:
        if name == "hasPreviousPage":
            return lambda page: "true" if page.has_previous else "false"
        if name == "hasNextPage":
            self._looks_ahead = True
            return lambda page: "true" if page.has_next else "false"
        self._shows_cursors = True
        place = 0 if name == "startCursor" else -1
        return lambda page: f'"{page.cursors[place]}"' if page.cursors else "null"

    def _edges(self, of: GraphQLObjectType, details: list[FieldDetails]) -> _Writer:
        """Each edge is written as a page of one."""
        edge = self._object(of, details, self._of_edge)

        def write(page: _Page) -> str:
            cursors = page.cursors or [""] * len(page.rows)
            edges = [_Page([row], [cursor], False, False, "") for row, cursor in zip(page.rows, cursors, strict=True)]
            return array(map(edge, edges))

        return write

    def _of_edge(self, name: str, inner: GraphQLObjectType, below: list[FieldDetails]) -> _Writer:
        if name == "cursor":
            self._shows_cursors = True
            return lambda page: f'"{page.cursors[0]}"'
        column = self._column(inner, below)
        return lambda page: str(page.rows[0][column])

    def _column(self, of: GraphQLObjectType, details: list[FieldDetails]) -> int:
        """Where the items are, in the shape that is asked for."""
        self._shapes.append(self._selection.shape(of, details, self._projection.members))
        return len(self._shapes) - 1


def _cursor(order: Keyset, row: Row) -> str:
    value, row_id = row[-2:]
    return order.encode(int(value) if order.column.type.python_type is int else value, row_id)
