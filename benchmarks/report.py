"""What a benchmark found: rows, the table that people read, and the JSON that pictures and documents are made from."""

import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
_DIGITS = 3


@dataclass(frozen=True, slots=True)
class Row:
    """One measure. `reached` is None where nothing is required, and where nothing was measured: `why` says it then."""

    what: str
    value: float | None
    unit: str = ""
    required: str = ""
    reached: bool | None = None
    why: str = ""


def at_least(what: str, value: float, unit: str, limit: float) -> Row:
    return Row(what, value, unit, f"at least {limit:,g}", value >= limit)


def at_most(what: str, value: float, unit: str, limit: float) -> Row:
    return Row(what, value, unit, f"at most {limit:,g}", value <= limit)


def not_measured(what: str, why: str, required: str = "") -> Row:
    return Row(what, None, "", required, None, " ".join(why.split()))


def number(value: float) -> str:
    """Three digits that mean something, and whole numbers whole."""
    if value == int(value) or abs(value) >= 10 ** (_DIGITS - 1):
        return f"{value:,.0f}"
    return f"{value:.{_DIGITS - 1 - math.floor(math.log10(abs(value)))}f}"


def measured(row: Row) -> str:
    return f"not measured: {row.why}" if row.value is None else f"{number(row.value)} {row.unit}".rstrip()


def verdict(row: Row) -> str:
    return "" if row.reached is None else "reached" if row.reached else "MISSED"


def table(found: Mapping[str, Sequence[Row]]) -> str:
    """By benchmark; columns wide enough for what is in them."""
    lines = [("measurement", "measured", "required", "")]
    lines += [
        (f"{name}: {row.what}", measured(row), row.required, verdict(row)) for name in found for row in found[name]
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(3)]
    return "\n".join(
        f"{what:<{widths[0]}}  {value:>{widths[1]}}  {required:<{widths[2]}}  {said}".rstrip()
        for what, value, required, said in lines
    )


@dataclass(frozen=True, slots=True)
class Found:
    """By one benchmark, when it was run last."""

    measured_at: str
    machine: str
    rows: tuple[Row, ...]


def write(name: str, rows: Sequence[Row], folder: Path = RESULTS) -> None:
    """In a file of its own; only what was found last is kept."""
    folder.mkdir(exist_ok=True)
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    found = Found(datetime.now(UTC).isoformat(timespec="seconds"), machine, tuple(rows))
    text = json.dumps(asdict(found), indent=1, ensure_ascii=False)
    (folder / f"{name}.json").write_text(f"{text}\n", encoding="utf-8")


def read_all(folder: Path = RESULTS) -> dict[str, Found]:
    """By name, in the order of names."""
    return {file.stem: _found(json.loads(file.read_text(encoding="utf-8"))) for file in sorted(folder.glob("*.json"))}


def _found(read: dict[str, Any]) -> Found:
    return Found(read["measured_at"], read["machine"], tuple(Row(**row) for row in read["rows"]))
