"""Reads a Shopify product CSV: its header, and its rows by product. `csv_product` makes the product of the rows."""

import csv
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import BinaryIO

from commerce.catalog.rules import MAX_DESCRIPTION, MAX_IMAGES, MAX_VARIANTS
from commerce.catalog.transfer.columns import (
    HANDLE,
    IMAGE_SRC,
    KNOWN,
    MAKES_VARIANT,
    OF_IMAGE,
    OF_PRODUCT,
    OF_VARIANT,
    OPTIONS,
    TITLE,
    Place,
    place_of,
)
from commerce.catalog.transfer.csv_lines import BrokenRow, Row, read_rows
from commerce.catalog.transfer.csv_product import Header, Rows, product_record
from commerce.catalog.transfer.records import MAX_SIZE, Fault, Record, UnreadableFile
from core.spreadsheet import restored

_CANONICAL = {name.lower(): name for name in KNOWN}
_MAX_ROWS = MAX_VARIANTS + MAX_IMAGES


def read_shopify_csv(file: BinaryIO, currency: str) -> Generator[Record, None, None]:
    """One record a product, in the order of the file. `currency` is that of prices.

    Where the quoting is wrong the last record says so, and nothing behind that line is read. Raises UnreadableFile.
    """
    with closing(read_rows(file)) as rows:
        try:
            header = _header(next(rows, None))
        except BrokenRow as error:
            raise UnreadableFile(f"line {error.line}: {error}") from error
        yield from _records(header, rows, currency)


def _records(header: Header, rows: Iterator[Row], currency: str) -> Iterator[Record]:
    group: Rows | None = None
    try:
        for row in rows:
            _fit(row, header.width)
            if not any(cell and not cell.isspace() for cell in row.cells):
                continue
            handle = row.cells[header.at[HANDLE]].strip().lower()
            if group is None or not _continues(group, handle, row, header):
                if group is not None:
                    yield product_record(header, group, currency)
                group = Rows(handle, row.line)
            _add(group, row, header)
    except BrokenRow as error:
        yield from _at_the_break(header, group, currency, error)
        return
    if group is not None:
        yield product_record(header, group, currency)


def _continues(group: Rows, handle: str, row: Row, header: Header) -> bool:
    """A row without a handle belongs to the product above it, unless it has a title of its own."""
    return handle == group.handle if handle else not row.cells[header.at[TITLE]].strip()


def _fit(row: Row, width: int) -> None:
    """Leaves the row exactly one cell a column, and a blank one more for columns that the file lacks."""
    cells = row.cells
    del cells[width:]
    if "'" in "".join(cells):
        cells[:] = [restored(cell) if cell[:1] == "'" else cell for cell in cells]
    cells += [""] * (width + 1 - len(cells))


def _add(group: Rows, row: Row, header: Header) -> None:
    """Takes the row in, or says why not; what is faulty keeps no cells in memory."""
    found = list(_shape_faults(group, row, header))
    group.size += row.size
    group.count += 1
    if group.size > MAX_SIZE:
        found.append(Fault(row.line, f"product {group.handle!r}: its rows have more than {MAX_SIZE >> 20} MiB"))
    elif group.count > _MAX_ROWS:
        found.append(Fault(row.line, f"product {group.handle!r}: has more than {_MAX_ROWS} rows"))
    if found:
        group.refuse(found)
    elif not group.faults:
        group.rows.append(row)


def _shape_faults(group: Rows, row: Row, header: Header) -> Iterator[Fault]:
    if row.broken:
        for name, cell in zip(header.names, row.cells, strict=False):
            byte = next((mark for mark in cell if "\udc80" <= mark <= "\udcff"), None)
            if byte is not None:
                yield Fault(row.line, f"column {name} is not UTF-8 (byte 0x{ord(byte) - 0xDC00:02X})")
    product = f"product {group.handle!r}"
    if not row.cells[header.at[HANDLE]].strip():
        yield Fault(row.line, f"{product}: {HANDLE}: is blank")
    if row.width > header.width:
        yield Fault(row.line, f"{product}: has {row.width} cells where the header has {header.width}")
    if row.width < header.width and not row.ends:
        yield Fault(row.line, f"{product}: the file ends in the middle of this row")
    if row.size > MAX_DESCRIPTION:
        for name, cell in zip(header.names, row.cells, strict=False):
            if len(cell) > MAX_DESCRIPTION:
                yield Fault(row.line, f"{product}: {name}: has {len(cell)} characters; at most {MAX_DESCRIPTION}")
    for index in header.nameless:
        if row.cells[index].strip():
            yield Fault(row.line, f"{product}: cell {index + 1} stands under a column without a name")


def _at_the_break(header: Header, group: Rows | None, currency: str, error: BrokenRow) -> Iterator[Record]:
    """The product above the broken row is whole only if that row is another's."""
    fault = Fault(error.line, str(error))
    if group is not None and _handle_of(error.start, header) not in (None, group.handle):
        yield product_record(header, group, currency)
        group = None
    if group is None:
        group = Rows("", error.line)
    group.refuse([fault])
    yield product_record(header, group, currency)


def _handle_of(line: str, header: Header) -> str | None:
    """The handle on a line whose quoting is wrong, if it surely stands before what is wrong."""
    at = header.at[HANDLE]
    if at > 0:
        line = line.split('"', 1)[0]
    try:
        cells = next(csv.reader([line]), [])
    except csv.Error:
        return None
    return restored(cells[at]).strip().lower() if at < len(cells) - 1 else None


def _header(row: Row | None) -> Header:
    if row is None:
        raise UnreadableFile("the file is empty: it has no header row")
    if row.broken:
        raise UnreadableFile(f"line {row.line}: the names of the columns are not UTF-8")
    names = [restored(cell).strip() for cell in row.cells]
    names = [_CANONICAL.get(name.lower(), name) for name in names]
    named = [name for name in names if name]
    twice = sorted({name for name in named if named.count(name) > 1}) if len(set(named)) < len(named) else []
    if twice:
        raise UnreadableFile(f"line {row.line}: column {twice[0]} stands twice")
    for required in (HANDLE, TITLE):
        if required not in names:
            raise UnreadableFile(f"line {row.line}: there is no column {required}; are the cells separated by commas?")
    return _compiled(names)


def _compiled(names: list[str]) -> Header:
    absent = len(names)
    at = dict.fromkeys(KNOWN, absent) | {name: index for index, name in enumerate(names) if name in KNOWN}
    return Header(
        names=names,
        at=at,
        unknown=[(index, place_of(name)) for index, name in enumerate(names) if name and name not in at],
        loose_of_variant=_places(at, OF_VARIANT, absent),
        loose_of_image=_places(at, OF_IMAGE, absent),
        of_product=[(at[name], name) for name in OF_PRODUCT if at[name] != absent],
        makes_variant=[at[name] for name in MAKES_VARIANT if at[name] != absent],
        options=[(name, at[name], value, at[value]) for name, value in OPTIONS],
        image=at[IMAGE_SRC],
        nameless=[index for index, name in enumerate(names) if not name],
    )


def _places(at: dict[str, int], names: tuple[str, ...], absent: int) -> list[tuple[int, Place]]:
    return [(at[name], place_of(name)) for name in names if at[name] != absent]
