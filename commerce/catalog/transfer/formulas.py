"""Keeps spreadsheets from running a cell as a formula, in a way that can be taken back exactly.

Quotes are counted, not only looked for, so that `'=x` (a text) and `=x` come back as what they were.
"""

import re

_RISKY = re.compile(r"'*[=+\-@\t\r]")


def neutralised(text: str) -> str:
    """The text with one `'` before it where a spreadsheet might compute it."""
    return f"'{text}" if _RISKY.match(text) else text


def restored(cell: str) -> str:
    """What `neutralised` was given; any other cell as it is."""
    return cell[1:] if cell[:1] == "'" and _RISKY.match(cell) else cell
