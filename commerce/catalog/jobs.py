"""Jobs of the catalogue: the import of a file that somebody sent."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pydantic import BaseModel

from commerce.catalog.transfer.importer import Report, import_products
from commerce.catalog.transfer.records import Fault, Format
from core.database import WriteSession
from core.drafts import draft, fetch
from core.errors import NotFound
from core.jobs.entities import Job
from core.jobs.jobs import Jobs
from core.jobs.registry import job, queue
from core.jobs.run import JobRun
from core.objects import ObjectNotFound, Objects

# Each import reads in a thread of its own, and all write to the same tables.
IMPORTS = queue("imports", per_process=1, overall=2).name
_BATCH = 50  # products: other writers wait for one batch at most, and it is done again after a crash
_COUNTS = ("created", "updated", "unchanged", "failed")


class UploadGone(NotFound):
    """The file of this import is not there any more. Send it again."""

    code = "upload_gone"
    title = "Upload gone"


class ImportFile(BaseModel):
    """`upload` is the key of an object."""

    upload: str
    format: Format
    name: str
    size: int
    actor: str
    batch_size: int = _BATCH  # as it was when it began: a checkpoint counts batches


def upload_key(upload_id: str) -> str:
    return f"imports/{upload_id}"


async def fault_lines(objects: Objects, job_id: str) -> AsyncIterator[bytes]:
    """JSON Lines by the batch, in the order of the file: what was not imported, and why."""
    keys = [found.key async for found in objects.list(f"imports/{job_id}/errors")]
    for key in sorted(keys):
        yield await objects.get(key)


async def ask_for_import(session: WriteSession, jobs: Jobs, file: ImportFile, owner: str | None) -> Job:
    return await jobs.enqueue(session, import_file, file, owner=owner)


@job("catalog.import", queue=IMPORTS, max_attempts=5, timeout_seconds=6 * 3600, own_process=True)
async def import_file(run: JobRun, args: ImportFile) -> dict[str, Any]:
    """Batches of products, each committed with how far it is: after a crash it goes on with the next one."""
    resources, ledger = run.resources, _Ledger(run)
    await ledger.publish()
    if not ledger.ended:
        async with draft(resources.settings.data.data_dir) as file:
            try:
                await fetch(resources.objects, args.upload, file)
            except ObjectNotFound:
                raise UploadGone from None
            await import_products(
                resources.database,
                resources.clock,
                file,
                args.format,
                currency=resources.settings.shop.currency,
                actor=args.actor,
                name=args.name,
                on_progress=lambda done: ledger.read(done / max(args.size, 1)),
                ledger=ledger,
                batch_size=args.batch_size,
            )
        await ledger.end()
    await resources.objects.delete(args.upload)
    return {name: getattr(ledger.report, name) for name in _COUNTS}


class _Ledger:
    """The importer's, in the job's checkpoint, with the faults of the last batch.

    They become an object once they are committed, and before the next batch begins: no transaction waits for the store,
    and who goes on after a crash, on whichever host, makes the same object again.
    """

    def __init__(self, run: JobRun) -> None:
        kept = run.checkpoint or {"batches": 0, "counts": {}, "faults": "", "ended": False}
        self.batches: int = kept["batches"]
        self.report = Report(**kept["counts"])
        self.ended: bool = kept["ended"]
        self._run = run
        self._faults: str = kept["faults"]  # JSON Lines
        self._done = 0.0

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[WriteSession]:
        async with self._run.transaction() as session:
            yield session
        await self.publish()

    async def publish(self) -> None:
        if self._faults:
            key = f"imports/{self._run.id}/errors/{self.batches:08}.jsonl"  # names sort as batches do
            await self._run.resources.objects.put(key, self._faults.encode())

    def read(self, done: float) -> None:
        """The reader is a batch ahead."""
        self._done = done

    async def save(self, session: WriteSession, batches: int, report: Report, faults: list[Fault]) -> None:
        self.batches = batches
        self._faults = "".join(map(_line, faults))
        products = sum(getattr(report, name) for name in _COUNTS)
        await self._run.progress(min(self._done, 0.99), f"{products} products")
        await self._run.save(session, self._checkpoint())

    async def end(self) -> None:
        """From here on the upload is not needed any more."""
        self.ended, self._faults = True, ""
        async with self._run.transaction() as session:
            await self._run.save(session, self._checkpoint())

    def _checkpoint(self) -> dict[str, Any]:
        counts = {name: getattr(self.report, name) for name in _COUNTS}
        return {"batches": self.batches, "counts": counts, "faults": self._faults, "ended": self.ended}


def _line(fault: Fault) -> str:
    line = json.dumps({"line": fault.line, "message": fault.message}, ensure_ascii=False)
    return line.encode("utf-8", "replace").decode() + "\n"
