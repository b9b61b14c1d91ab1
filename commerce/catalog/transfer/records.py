"""What the readers of files hand to the importer: one record a product, with the places that its faults belong to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

from commerce.catalog.commands import ProductData
from core.errors import FieldError, Invalid

Format = Literal["csv", "jsonl"]
_SUFFIXES: dict[str, Format] = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}

# Of one line, one cell, or one product's rows together: more than any valid product needs, and little to hold.
MAX_SIZE = 16 * 1024 * 1024
SHOWN = 40  # characters of a bad value that a message repeats


class UnreadableFile(Invalid):
    """The file is not one that can be imported: another kind, another encoding, or without the columns it needs."""

    code = "unreadable_file"
    title = "Unreadable file"


@dataclass(frozen=True, slots=True)
class Fault:
    """Why something was not imported, and the physical line (from 1) where it stands."""

    line: int
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.message}"


@dataclass(frozen=True, slots=True)
class Record:
    """One product of a file. `data` is None where it cannot be read, and `faults` then says why.

    `locate` finds the place in the file of a fault of the data. `size` is in characters, for bounding memory.
    """

    line: int
    handle: str
    data: ProductData | None
    faults: tuple[Fault, ...]
    locate: Callable[[FieldError], Fault]
    variant_lines: Sequence[int] = ()
    size: int = 0


def format_of(name: str) -> Format:
    """The format that a file's name promises. Raises UnreadableFile."""
    found = _SUFFIXES.get(PurePath(name).suffix.lower())
    if found is None:
        raise UnreadableFile(f"{name}: neither a .csv nor a .jsonl file")
    return found


def shown(value: str) -> str:
    """A value as a message repeats it: quoted, printable, and not long."""
    return repr(value if len(value) <= SHOWN else f"{value[:SHOWN]}…")
