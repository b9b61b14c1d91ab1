"""What the page is made of, and how values are written. None is written as what it is: no data, never a zero."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

NO_DATA = "no data"
_MINUTE, _HOUR = 60, 3600
Tone = Literal["", "good", "bad", "quiet"]


@dataclass(frozen=True, slots=True)
class Cell:
    """`link` is relative to the page."""

    text: str
    tone: Tone = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """`numeric`: all columns but the first hold numbers. `columns` may be none: rows have names too. `empty` stands in
    its place where there is no row.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    empty: str = NO_DATA
    numeric: bool = True


@dataclass(frozen=True, slots=True)
class Panel:
    """`name` is its place on the page."""

    name: str
    title: str
    tables: tuple[Table, ...]
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Tile:
    """One of the few figures that stand above all."""

    label: str
    value: Cell


def table(
    caption: str,
    columns: tuple[str, ...],
    rows: Iterable[Iterable[Cell]],
    *,
    empty: str = NO_DATA,
    numeric: bool = True,
) -> Table:
    return Table(caption, columns, tuple(tuple(row) for row in rows), empty, numeric)


def text(value: object | None, tone: Tone = "") -> Cell:
    return Cell(NO_DATA, "quiet") if value is None or value == "" else Cell(str(value), tone)


def number(value: float | None, *, bad: bool = False) -> Cell:
    """With one digit after the point where it is no whole number. `bad` where it should be nothing."""
    if value is None:
        return text(None)
    return Cell(f"{value:,.0f}" if value == int(value) else f"{value:,.1f}", "bad" if bad and value else "")


def rate(value: float | None, *, bad: bool = False) -> Cell:
    return text(f"{value:,.1f}" if value is not None else None, "bad" if bad and value else "")


def percent(value: float | None, *, bad: bool = False) -> Cell:
    return text(f"{value * 100:.1f} %" if value is not None else None, "bad" if bad and value else "")


def milliseconds(seconds: float | None) -> Cell:
    if seconds is None:
        return text(None)
    return Cell(f"{seconds * 1000:,.1f} ms")


def megabytes(value: float | None) -> Cell:
    return text(f"{value / 1024**2:,.1f} MB" if value is not None else None)


def age(seconds: float | None) -> Cell:
    if seconds is None:
        return text(None)
    if seconds < _MINUTE:
        return Cell(f"{seconds:.1f} s")
    if seconds < _HOUR:
        return Cell(f"{seconds / _MINUTE:.0f} min")
    return Cell(str(timedelta(seconds=int(seconds))))


def moment(at: datetime | None) -> Cell:
    return text(f"{at:%Y-%m-%d %H:%M:%S} UTC" if at is not None else None)
