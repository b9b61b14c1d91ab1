"""CSV rows with the line where each begins, read from bytes in bounded memory. Knows no column."""

import csv
import io
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from commerce.catalog.transfer.records import MAX_SIZE, UnreadableFile

_SAMPLE = 4096
_BOMS_OF_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(slots=True)
class Row:
    """`cells` as they are in the file, which has `width` of them. Bytes that are not UTF-8 stand in them as lone
    surrogates; `broken` says so.

    `ends` is false for the last row of a file that ends without a line end: it may have been cut off.
    """

    line: int
    cells: list[str]
    size: int
    broken: bool
    ends: bool
    width: int


class BrokenRow(Exception):
    """The quoting is wrong from this row on, so that nothing after it can be trusted. `start` is its first line."""

    def __init__(self, line: int, reason: str, start: str) -> None:
        super().__init__(f"{reason}; nothing from line {line} on was read")
        self.line = line
        self.start = start


class _TooLong(Exception):
    pass


class _Lines:
    """The lines of a text, counted, with what is to be known of the row that they belong to."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._readline = text.readline
        self._number = 0
        self.begin_row()

    def begin_row(self) -> None:
        self.row_line = self._number + 1
        self.row_size = 0
        self.row_broken = False
        self.row_start = ""
        self.last = ""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._readline(MAX_SIZE)
        if not line:
            raise StopIteration
        if self.row_size == 0:
            self.row_start = line
        self._number += 1
        self.row_size += len(line)
        if self.row_size >= MAX_SIZE:
            raise _TooLong
        if not line.isascii() and not self.row_broken:
            self.row_broken = any("\udc80" <= mark <= "\udcff" for mark in line)
        self.last = line
        return line


def read_rows(file: BinaryIO) -> Generator[Row, None, None]:
    """All rows but the empty ones; close it before the file.

    Raises BrokenRow, and UnreadableFile for what is not text in UTF-8 at all.
    """
    refuse_other_encodings(file)
    csv.field_size_limit(MAX_SIZE)
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
    lines = _Lines(text)
    reader = csv.reader(lines, strict=True)
    try:
        while True:
            lines.begin_row()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except (csv.Error, _TooLong) as error:
                raise BrokenRow(lines.row_line, _reason(error), lines.row_start) from error
            if cells:
                ends = lines.last.endswith(("\n", "\r"))
                yield Row(lines.row_line, cells, lines.row_size, lines.row_broken, ends, len(cells))
    finally:
        text.detach()  # the file stays its owner's to close


def refuse_other_encodings(file: BinaryIO) -> None:
    """Raises UnreadableFile where the first bytes show UTF-16 or no text. The file is then at its start again."""
    sample = file.read(_SAMPLE)
    file.seek(0)
    if sample.startswith(_BOMS_OF_UTF_16):
        raise UnreadableFile("the file is UTF-16; save it as UTF-8")
    # A single NUL is one product's fault; UTF-16 without a mark is half NULs.
    if sample.count(0) * 20 > len(sample):
        raise UnreadableFile("the file holds NUL bytes: it is not UTF-8 text; save it as UTF-8")


def _reason(error: Exception) -> str:
    text = str(error)
    if "unexpected end of data" in text:
        return "a quoted cell that begins here is never closed"
    if "expected after" in text:
        return "text stands behind the closing quote of a cell"
    if isinstance(error, _TooLong) or "field limit" in text:
        return f"a row that begins here has more than {MAX_SIZE // 1024 // 1024} MiB"
    return f"the row cannot be read ({text})"
