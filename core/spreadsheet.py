"""Rows for spreadsheets: CSV, with cells kept from running as formulas in a way that can be taken back exactly.

Quotes are counted, not only looked for, so that `'=x` (a text) and `=x` come back as what they were.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence

_RISKY = re.compile(r"'*[=+\-@\t\r]")


def neutralised(text: str) -> str:
    """The text with one `'` before it where a spreadsheet might compute it."""
    return f"'{text}" if _RISKY.match(text) else text


def restored(cell: str) -> str:
    """What `neutralised` was given; any other cell as it is."""
    return cell[1:] if cell[:1] == "'" and _RISKY.match(cell) else cell


def csv_bytes(rows: Iterable[Sequence[object]]) -> bytes:
    """As RFC 4180 has it, in UTF-8."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()
