"""The base of repositories: what every query against a keyset or a numbered page does alike."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Generic, TypeVar

from sqlalchemy import JSON, ColumnElement, Row, Select, String, any_, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import InstrumentedAttribute

from core.database import Base, ReadSession
from core.direct import Bind
from core.pagination import Keyset, Page, Slice

E = TypeVar("E")
MOST_PARAMETERS = 10_000  # of one statement: PostgreSQL takes 32,767


def parameter_chunks(values: Sequence[str]) -> Iterator[Sequence[str]]:
    """Few enough for one statement."""
    return (values[start : start + MOST_PARAMETERS] for start in range(0, len(values), MOST_PARAMETERS))


def among(
    column: ColumnElement[str] | InstrumentedAttribute[str], name: str, bind: Bind, dialect: str
) -> ColumnElement[bool]:
    """Whether it is one of the value of this name, however many these are."""
    if dialect == "postgresql":
        return column == any_(bind(name, ARRAY(String())))
    ids = func.json_each(bind(name, JSON())).table_valued("value")
    return column.in_(select(ids.c.value))


@dataclass(frozen=True, slots=True)
class Reading(Generic[E]):
    """The fields of an entity that a statement reads, each from the column of the same name. An entity of which not all
    were read raises AttributeError where another is asked for.
    """

    entity: type[E]
    names: tuple[str, ...]
    columns: tuple[Any, ...]
    whole: bool

    def of(self, values: Sequence[Any]) -> E:
        """What is made of a row that begins with the columns."""
        if self.whole:
            return self.entity(*values[: len(self.names)])
        made = object.__new__(self.entity)
        for name, value in zip(self.names, values, strict=False):
            object.__setattr__(made, name, value)
        return made


def reading(entity: type[E], row: type[Base], wanted: Collection[str] | None = None, *always: str) -> Reading[E]:
    """The wanted fields of a dataclass and those that are always read, in its order; all without `wanted`."""
    all_names = [field.name for field in fields(entity)]  # type: ignore[arg-type]
    names = tuple(name for name in all_names if wanted is None or name in wanted or name in always)
    return Reading(entity, names, tuple(getattr(row, name) for name in names), len(names) == len(all_names))


class Repository:
    """Per session. Holds every query of a feature; methods are named for what the caller wants to know."""

    def __init__(self, session: ReadSession) -> None:
        self._session = session

    @property
    def dialect(self) -> str:
        return self._session.get_bind().dialect.name

    async def count(self, statement: Select[*tuple[Any, ...]]) -> int:
        return int(await self._session.scalar(select(func.count()).select_from(statement.order_by(None).subquery())))

    async def numbered_page(self, statement: Select[*tuple[Any, ...]], *, page: int, size: int) -> Page[Row[Any]]:
        """Two statements: the rows of page `page` (from 1), and how many there are in all."""
        rows = (await self._session.execute(statement.limit(size).offset((page - 1) * size))).all()
        return Page(rows, page, size, await self.count(statement))

    async def keyset_page(
        self, statement: Select[*tuple[Any, ...]], keyset: Keyset, *, limit: int, after: str | None, count: bool = False
    ) -> Slice[Row[Any]]:
        """One statement (two with `count`, none for a limit of nought): up to `limit` rows after the cursor `after`.

        The statement must not be ordered yet, and must select the keyset's columns labelled `sort_value` and `id`.
        Raises InvalidCursor.
        """
        page = keyset.after(statement, after) if after is not None else statement
        page = page.order_by(*keyset.order()).limit(limit + 1)
        found = (await self._session.execute(page)).all() if limit else []
        rows = found[:limit]
        return Slice(
            items=rows,
            cursors=[keyset.encode(row.sort_value, row.id) for row in rows],
            has_next=len(found) > limit,
            total=await self.count(statement) if count else None,
        )
