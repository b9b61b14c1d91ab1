"""The files of reports: rows as CSV or JSON, written under another name until they are whole."""

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pydantic_core import to_json

from commerce.reports.commands import SalesReport
from commerce.reports.sales import AMOUNTS, COLUMNS
from core.money import format_decimal
from core.settings import Settings
from core.spreadsheet import csv_bytes, neutralised

Rows = Sequence[tuple[Any, ...]]


def report_file(settings: Settings, job_id: str) -> Path:
    """Of a report that is ready. With workers on several hosts the folder is a shared one."""
    return settings.data.data_dir / "reports" / job_id


class ReportWriter:
    """Per attempt, which takes the place of what an earlier one has written."""

    def __init__(self, path: Path, report: SalesReport) -> None:
        self._path = path
        self._draft = path.with_name(f".draft-{path.name}-{os.getpid()}")
        self._report = report
        self._columns = COLUMNS[report.group_by]
        self.rows = 0

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._open)
        return self

    async def write(self, rows: Rows) -> None:
        await asyncio.to_thread(self._write, rows)

    async def finish(self) -> int:
        """The file has its name, and is on disk; its size."""
        return await asyncio.to_thread(self._finish)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        with suppress(FileNotFoundError):
            os.unlink(self._draft)  # noqa: PTH108  at once, also where this task is cancelled

    def _open(self) -> None:
        self._draft.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._draft.open("wb")
        if self._report.format == "csv":
            self._file.write(csv_bytes([self._columns]))
        else:
            report = self._report
            head = to_json({"from": report.start, "to": report.end, "group_by": report.group_by})
            self._file.write(head[:-1] + b',"rows":[')

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
        self._file.flush()
        os.fsync(self._file.fileno())
        size = self._file.tell()
        self._draft.replace(self._path)
        return size
