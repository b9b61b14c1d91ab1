"""What a benchmark found: rows, the table that people read, and the JSON that pictures and documents are made from."""

import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

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
    return Row(what, None, "", required, None, why)


def number(value: float) -> str:
    """Three digits that mean something, and whole numbers whole."""
    if value == int(value) or abs(value) >= 10 ** (_DIGITS - 1):
        return f"{value:,.0f}"
    return f"{value:.{_DIGITS - 1 - math.floor(math.log10(abs(value)))}f}"


def table(found: Mapping[str, Sequence[Row]]) -> str:
    """By benchmark; columns wide enough for what is in them."""
    lines = [("measurement", "measured", "required", "")]
    lines += [
        (f"{name}: {row.what}", _measured(row), row.required, _verdict(row)) for name in found for row in found[name]
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(3)]
    return "\n".join(
        f"{what:<{widths[0]}}  {measured:>{widths[1]}}  {required:<{widths[2]}}  {verdict}".rstrip()
        for what, measured, required, verdict in lines
    )


def _measured(row: Row) -> str:
    return f"not measured: {row.why}" if row.value is None else f"{number(row.value)} {row.unit}".rstrip()


def _verdict(row: Row) -> str:
    return "" if row.reached is None else "reached" if row.reached else "MISSED"


def write(name: str, rows: Sequence[Row], folder: Path = RESULTS) -> Path:
    """The file of one benchmark. Only what was found last is kept."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.json"
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    found = {
        "benchmark": name,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine,
        "rows": [asdict(row) for row in rows],
    }
    path.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path
