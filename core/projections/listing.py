"""Lists whose items' JSON the database writes: the statement of a page, and what is made of its rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, func, literal_column, null, select
from sqlalchemy.orm import InstrumentedAttribute

from core.direct import Bind, Row
from core.pagination import Keyset
from core.projections.items import ItemSlice, item_of

# Another way to the same page, which is among the first so many rows of the list.
Road = Callable[[Select[*tuple[Any, ...]], ColumnElement[int]], Select[*tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Paging:
    """How a list is cut: to `limit` rows at most, after the cursor of a row, or past an `offset` of rows."""

    limit: int
    after: bool = False
    offset: bool = False
    count: bool = False  # also say how many rows there are in all
    count_to: int | None = None  # and count no further


def listed(
    wanted: Select[*tuple[Any, ...]],
    order: Keyset,
    version: InstrumentedAttribute[int],
    json: ColumnElement[str],
    paging: Paging,
    dialect: str,
    bind: Bind,
    found_by: Road = lambda page, _: page,
    *,
    in_index: bool,
) -> Select[*tuple[Any, ...]]:
    """Of each row of a page: `json`, id, version, sort value, and the total or NULL. `wanted` selects the ids of all,
    from the table that has the `version`.

    First the page is found, and then the JSON made: where the database has to sort, it does not sort JSON. PostgreSQL
    does both at once where all rows stand `in_index` in their order and none is passed over: it would read them again.
    Values: `offset` where there is one; the keyset's after a cursor; those of `wanted`.
    """
    total: ColumnElement[Any] = null()
    if paging.count:
        total = counted(wanted, paging.count_to).scalar_subquery()
    reach: ColumnElement[int] = literal_column(str(paging.limit), Integer())
    page = wanted.add_columns(order.column.label("sort_value"), order.shown(dialect).label("shown"))
    page = page.order_by(*order.order()).limit(reach)
    if paging.after:
        page = page.where(*order.following(bind))
    if in_index and dialect == "postgresql" and not paging.offset:
        found_so = page.selected_columns
        return page.with_only_columns(json, found_so["id"], version, found_so["shown"], total)
    if paging.offset:
        page = page.offset(bind("offset", Integer()))
        reach = reach + bind("offset", Integer())
    keys = found_by(page, reach).cte()
    again = Keyset(order.name, keys.c.sort_value, keys.c.id, order.descending)
    found = select(json, keys.c.id, version, keys.c.shown, total)
    return found.select_from(keys).join(version.class_, version.class_.id == keys.c.id).order_by(*again.order())


def counted(wanted: Select[*tuple[Any, ...]], count_to: int | None = None) -> Select[int]:
    """`count_to`: and no further."""
    if count_to is not None:
        wanted = wanted.limit(literal_column(str(count_to), Integer()))
    return select(func.count()).select_from(wanted.subquery())


def total_of(rows: Sequence[Row], *, is_first: bool) -> int | None:
    """What each row of `listed` tells of the total; None behind the last row, where none is left to tell it."""
    if rows:
        return rows[0][4]  # type: ignore[no-any-return]
    return 0 if is_first else None


def slice_of(rows: Sequence[Row], order: Keyset, limit: int, total: int | None) -> ItemSlice:
    """Of one row more than the limit, where there is one."""
    following = order.encode(rows[limit - 1][3], rows[limit - 1][1]) if len(rows) > limit else None
    return ItemSlice([item_of(row) for row in rows[:limit]], following, total)
