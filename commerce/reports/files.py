"""The files of reports: rows as CSV or JSON."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

from pydantic_core import to_json

from commerce.reports.commands import SalesReport
from commerce.reports.sales import AMOUNTS, COLUMNS
from core.money import format_decimal
from core.spreadsheet import csv_bytes, neutralised

Rows = Sequence[tuple[Any, ...]]


def report_key(job_id: str) -> str:
    """Of the object that a report is, once it is ready."""
    return f"reports/{job_id}"


class ReportWriter:
    """Onto a file that is empty, and stays the caller's."""

    def __init__(self, file: BinaryIO, report: SalesReport) -> None:
        self._file = file
        self._report = report
        self._columns = COLUMNS[report.group_by]
        self.rows = 0
        file.write(self._head())  # which its buffer takes

    async def write(self, rows: Rows) -> None:
        await asyncio.to_thread(self._write, rows)

    async def finish(self) -> int:
        """Its size."""
        return await asyncio.to_thread(self._finish)

    def _head(self) -> bytes:
        report = self._report
        if report.format == "csv":
            return csv_bytes([self._columns])
        head = to_json({"from": report.start, "to": report.end, "group_by": report.group_by})
        return head[:-1] + b',"rows":['

    def _write(self, rows: Rows) -> None:
        render: Callable[[Rows], bytes] = self._csv if self._report.format == "csv" else self._json
        self._file.write(render(rows))
        self.rows += len(rows)

    def _csv(self, rows: Rows) -> bytes:
        at = self._columns.index("currency")
        return csv_bytes([[self._cell(name, value, row[at]) for name, value in self._named(row)] for row in rows])

    def _cell(self, name: str, value: Any, currency: str) -> object:
        if name in AMOUNTS:
            return format_decimal(value, currency)
        return neutralised(value) if isinstance(value, str) else value

    def _json(self, rows: Rows) -> bytes:
        objects = [to_json(self._object(row)) for row in rows]
        return (b"," if self.rows else b"") + b",".join(objects)

    def _object(self, row: tuple[Any, ...]) -> dict[str, Any]:
        """As in every answer, money is an amount in minor units with its currency."""
        currency = row[self._columns.index("currency")]
        return {
            name: {"amount": value, "currency": currency} if name in AMOUNTS else value
            for name, value in self._named(row)
        }

    def _named(self, row: tuple[Any, ...]) -> list[tuple[str, Any]]:
        return list(zip(self._columns, row, strict=True))

    def _finish(self) -> int:
        if self._report.format == "json":
            self._file.write(b"]}\n")
        return self._file.tell()
