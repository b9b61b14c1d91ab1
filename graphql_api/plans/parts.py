"""What a root field reads: SELECTs whose columns are texts, and the one statement that is made of all of them."""

from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from sqlalchemy import Select, Text, cast, func, literal_column, null, select, union_all
from sqlalchemy.sql import ClauseElement

from commerce.accounts.principal import Principal
from core.direct import Bind, Row, Sql, compiled, named
from core.resources import Resources

Part = Select[*tuple[Any, ...]]
Parts = Callable[[Bind], Sequence[Part]]
Rows = Sequence[Row]
# The whole total, of one that was counted so far. Raises DatabaseUnavailable.
Whole = Callable[[Resources, int], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class Bound:
    """A root field with its arguments. `kind`: what its parts depend on; they are made once for each kind. `write`
    makes the field's JSON of the rows of each part. With `whole` the last of them is a total, counted as far as it was.
    """

    kind: Hashable
    values: Mapping[str, Any]
    parts: Parts
    write: Callable[[Sequence[Rows]], str]
    whole: Whole | None = None

    async def json(self, found: Sequence[Rows], resources: Resources) -> str:
        """Raises DatabaseUnavailable."""
        if self.whole is not None:
            total = await self.whole(resources, int(found[-1][0][0]))
            found = [*found[:-1], [(str(total),)]]
        return self.write(found)


# Of the arguments, for a caller, in a dialect. Raises AppError for what does not fit, and NotProjectable.
Binder = Callable[[Mapping[str, Any], Principal, str], Bound]


def constant(json: str) -> Bound:
    """Of a field for which nothing is read."""
    return Bound("", {}, lambda _bind: (), lambda _found: json)


def array(items: Iterable[str]) -> str:
    return "[" + ",".join(items) + "]"


@dataclass(frozen=True, slots=True)
class Statement:
    """`parts`: of each field, how many. `sql` is None where there are none at all."""

    sql: Sql | None
    parts: tuple[int, ...]

    def split(self, rows: Sequence[Row]) -> list[list[Rows]]:
        """The rows of each part of each field."""
        if sum(self.parts) == 1:
            return [[rows] if number else [] for number in self.parts]
        found: list[list[Row]] = [[] for _ in range(sum(self.parts))]
        for row in sorted(rows, key=_PLACE):
            found[row[0]].append(row[2:])
        remaining = iter(found)
        return [[next(remaining) for _ in range(number)] for number in self.parts]


_PLACE = itemgetter(0, 1)


def statement_of(bounds: Sequence[Bound], dialect: str) -> Statement:
    """Slow: keep what it returns."""
    parts = [bound.parts(named(prefix(place))) for place, bound in enumerate(bounds)]
    flat = [part for some in parts for part in some]
    sql = compiled(flat[0] if len(flat) == 1 else _united(flat), dialect) if flat else None
    return Statement(sql, tuple(len(some) for some in parts))


def prefix(place: int) -> str:
    """Of the names of a field's values."""
    return f"f{place}_"


def _united(parts: Sequence[Part]) -> ClauseElement:
    """Each row with the place of its part, and its own in that: UNION ALL promises no order."""
    width = max(len(part.selected_columns) for part in parts)
    return union_all(*(_padded(part, place, width) for place, part in enumerate(parts)))


def _padded(part: Part, place: int, width: int) -> Part:
    named = [column.label(f"text_{number}") for number, column in enumerate(part.selected_columns)]
    rows = part.with_only_columns(*named).subquery()
    missing = [cast(null(), Text) for _ in range(width - len(rows.c))]
    return select(literal_column(str(place)), func.row_number().over(), *rows.c, *missing)
