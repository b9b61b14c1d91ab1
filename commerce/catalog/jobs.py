"""Jobs of the catalogue: the import of a file that somebody sent."""

import asyncio
import json
import os
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from pydantic import BaseModel

from commerce.catalog.transfer.importer import Report, import_products
from commerce.catalog.transfer.records import Fault, Format
from core.database import WriteSession
from core.errors import NotFound
from core.jobs.entities import Job
from core.jobs.jobs import Jobs
from core.jobs.registry import job, queue
from core.jobs.run import JobRun
from core.settings import Settings

# Each import reads in a thread of its own, and all write to the same tables.
IMPORTS = queue("imports", per_process=1, overall=2).name
_BATCH = 50  # products: other writers wait for one batch at most, and it is done again after a crash
_COUNTS = ("created", "updated", "unchanged", "failed")


class UploadGone(NotFound):
    """The file of this import is not there any more. Send it again."""

    code = "upload_gone"
    title = "Upload gone"


class ImportFile(BaseModel):
    """`upload` is a file in the imports folder."""

    upload: str
    format: Format
    name: str
    size: int
    actor: str
    batch_size: int = _BATCH  # as it was when it began: a checkpoint counts batches


def imports_folder(settings: Settings) -> Path:
    """Uploads and error reports. With workers on several hosts it is a shared one."""
    return settings.data.data_dir / "imports"


def error_report(settings: Settings, job_id: str) -> Path:
    """JSON Lines: what was not imported, and why. There is one once a fault was found."""
    return imports_folder(settings) / f"{job_id}.errors.jsonl"


async def ask_for_import(session: WriteSession, jobs: Jobs, file: ImportFile, owner: str | None) -> Job:
    return await jobs.enqueue(session, import_file, file, owner=owner)


@job("catalog.import", queue=IMPORTS, max_attempts=5, timeout_seconds=6 * 3600, own_process=True)
async def import_file(run: JobRun, args: ImportFile) -> dict[str, Any]:
    """Batches of products, each committed with how far it is: after a crash it goes on with the next one."""
    settings = run.resources.settings
    upload = imports_folder(settings) / args.upload
    with _Ledger(run, error_report(settings, run.id)) as ledger:
        if not ledger.ended:
            try:
                file = upload.open("rb")
            except FileNotFoundError:
                raise UploadGone from None
            with file:
                await import_products(
                    run.resources.database,
                    run.resources.clock,
                    file,
                    args.format,
                    currency=settings.shop.currency,
                    actor=args.actor,
                    name=args.name,
                    on_progress=lambda done: ledger.read(done / max(args.size, 1)),
                    ledger=ledger,
                    batch_size=args.batch_size,
                )
            await ledger.end()
        upload.unlink(missing_ok=True)
        return {name: getattr(ledger.report, name) for name in _COUNTS}


class _Ledger:
    """The importer's, in the job's checkpoint, with the faults in a file beside it."""

    def __init__(self, run: JobRun, errors: Path) -> None:
        kept = run.checkpoint or {"batches": 0, "counts": {}, "faults": 0, "ended": False}
        self.batches: int = kept["batches"]
        self.report = Report(**kept["counts"])
        self.ended: bool = kept["ended"]
        self._run = run
        self._path = errors
        self._written: int = kept["faults"]  # bytes
        self._file: IO[bytes] | None = None
        self._done = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def transaction(self) -> AbstractAsyncContextManager[WriteSession]:
        return self._run.transaction()

    def read(self, done: float) -> None:
        """The reader is a batch ahead."""
        self._done = done

    async def save(self, session: WriteSession, batches: int, report: Report, faults: list[Fault]) -> None:
        if faults:
            await asyncio.to_thread(self._write, faults)
        self.batches = batches
        products = sum(getattr(report, name) for name in _COUNTS)
        await self._run.progress(min(self._done, 0.99), f"{products} products")
        await self._run.save(session, self._checkpoint())

    async def end(self) -> None:
        """From here on the upload is not needed any more."""
        self.ended = True
        async with self._run.transaction() as session:
            await self._run.save(session, self._checkpoint())

    def _checkpoint(self) -> dict[str, Any]:
        counts = {name: getattr(self.report, name) for name in _COUNTS}
        return {"batches": self.batches, "counts": counts, "faults": self._written, "ended": self.ended}

    def _write(self, faults: Iterable[Fault]) -> None:
        """On disk before the checkpoint; what a broken off run has written after its own is cut off first."""
        if self._file is None:
            self._file = os.fdopen(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")
            self._file.truncate(self._written)
            self._file.seek(self._written)
        for fault in faults:
            line = {"line": fault.line, "message": fault.message}
            self._file.write(json.dumps(line, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._written = self._file.tell()
