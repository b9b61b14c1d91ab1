"""The base of repositories: what every query against a keyset or a numbered page does alike."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Row, Select, func, select

from core.database import ReadSession
from core.pagination import Keyset, Page, Slice


def parameter_chunks(values: Sequence[str]) -> Iterator[Sequence[str]]:
    """Few enough for one statement: PostgreSQL takes 32,767 parameters."""
    return (values[start : start + 10_000] for start in range(0, len(values), 10_000))


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
        """One statement (two with `count`): up to `limit` rows after the cursor `after`.

        The statement must not be ordered yet, and must select the keyset's columns labelled `sort_value` and `id`.
        Raises InvalidCursor.
        """
        page = keyset.after(statement, after) if after is not None else statement
        found = (await self._session.execute(page.order_by(*keyset.order()).limit(limit + 1))).all()
        rows = found[:limit]
        return Slice(
            items=rows,
            cursors=[keyset.encode(row.sort_value, row.id) for row in rows],
            has_next=len(found) > limit,
            total=await self.count(statement) if count else None,
        )
