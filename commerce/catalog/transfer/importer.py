"""Brings a file of products into the catalogue: one transaction a batch, and of each product all or nothing.

Memory is bounded by one batch, whatever the file's size; reading and checking the file runs beside the event loop.
"""

import asyncio
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, closing
from dataclasses import dataclass, field, replace
from typing import BinaryIO, Protocol, cast

from commerce.audit.log import SYSTEM
from commerce.catalog.checking import checked
from commerce.catalog.errors import InvalidProduct
from commerce.catalog.rules import MAX_VARIANTS
from commerce.catalog.service import CatalogService, Outcome
from commerce.catalog.transfer.json_lines import read_json_lines
from commerce.catalog.transfer.records import Fault, Format, Record
from commerce.catalog.transfer.seen import Seen
from commerce.catalog.transfer.shopify_csv import read_shopify_csv
from core.clock import Clock
from core.database import Database, WriteSession
from core.errors import AppError, FieldError

BATCH = 1000
_BATCH_SIZE = 4 * 1024 * 1024  # characters after which a batch is full sooner
_KEPT_FAULTS = 1000
_FAULTS_OF_PRODUCT = 20

OnProgress = Callable[[int], None]
OnFault = Callable[[Fault], None]


@dataclass(frozen=True, slots=True)
class _Catalogue:
    """Where the products go, and what the audit log is told."""

    database: Database
    clock: Clock
    actor: str
    name: str
    dry_run: bool

    async def write(self, session: WriteSession, records: list[Record]) -> list[Outcome]:
        batch = [record.data for record in records if record.data is not None]
        return await CatalogService(session, self.clock, actor=self.actor).save(batch, origin=self.name)

    async def save(self, records: list[Record]) -> list[Outcome]:
        batch = [record.data for record in records if record.data is not None]
        if not batch:
            return []
        if self.dry_run:
            async with self.database.read() as session:
                # A dry run only reads, and here the database itself sees to it.
                service = CatalogService(cast("WriteSession", session), self.clock, actor=self.actor)
                return await service.save(batch, dry_run=True)
        async with self.database.write() as session:
            return await self.write(session, records)


@dataclass(slots=True)
class Report:
    """What became of the products of a file, and the first thousand faults; `on_fault` is told of all."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    failed: int = 0
    faults: list[Fault] = field(default_factory=list)

    def __str__(self) -> str:
        return f"created {self.created} updated {self.updated} unchanged {self.unchanged} failed {self.failed}"


class Ledger(Protocol):
    """What an import that may be broken off remembers with each batch, so that another run goes on after it.

    Both runs must be of the same file, in batches of the same size.
    """

    @property
    def batches(self) -> int:
        """That are done."""
        ...

    @property
    def report(self) -> Report:
        """Of those."""
        ...

    def transaction(self) -> AbstractAsyncContextManager[WriteSession]: ...

    async def save(self, session: WriteSession, batches: int, report: Report, faults: list[Fault]) -> None:
        """In the transaction of the batch; `faults` are the batch's."""
        ...


async def import_products(
    database: Database,
    clock: Clock,
    file: BinaryIO,
    kind: Format,
    *,
    currency: str,
    actor: str = SYSTEM,
    name: str = "import",
    dry_run: bool = False,
    on_progress: OnProgress | None = None,
    on_fault: OnFault | None = None,
    ledger: Ledger | None = None,
    batch_size: int | None = None,
) -> Report:
    """Creates or replaces the products of the file by handle; `currency` is that of a CSV's prices.

    `actor` and the file's `name` are for the audit log, which has one entry a batch. `on_progress` is given the bytes
    read so far, a batch ahead of what is saved. A dry run reads, checks and counts, and writes nothing. With a `ledger`
    it goes on where it was broken off. Raises UnreadableFile, and DatabaseUnavailable; earlier batches stay imported,
    so that running it again goes on where it stopped.
    """
    report = ledger.report if ledger is not None else Report()
    done = ledger.batches if ledger is not None else 0
    catalogue = _Catalogue(database, clock, actor, name, dry_run)
    loop = asyncio.get_running_loop()
    # The reader is one batch ahead of the database, in a thread that ends before what it reads from is closed.
    with (
        Seen() as seen,
        closing(_batches(file, kind, currency, seen, batch_size or BATCH)) as batches,
        ThreadPoolExecutor(1) as reader,
    ):
        ahead = loop.run_in_executor(reader, next, batches, None)
        number = 0
        while batch := await ahead:
            ahead = loop.run_in_executor(reader, next, batches, None)
            number += 1
            if number <= done:  # read again for the handles and SKUs that it names
                continue
            for fault in await _kept(catalogue, batch, number, report, ledger):
                if on_fault is not None:
                    on_fault(fault)
            if on_progress is not None:
                on_progress(file.tell())
    return report


async def _kept(
    catalogue: _Catalogue, batch: list[Record], number: int, report: Report, ledger: Ledger | None
) -> list[Fault]:
    """Saves a batch, and returns its faults."""
    whole = [record for record in batch if record.data]
    if ledger is None:
        return list(_counted(report, batch, await catalogue.save(whole)))
    async with ledger.transaction() as session:
        faults = list(_counted(report, batch, await catalogue.write(session, whole)))
        await ledger.save(session, number, report, faults)
    return faults


def _counted(report: Report, batch: list[Record], outcomes: list[Outcome]) -> Iterator[Fault]:
    """Adds a batch to the report, and gives its faults in the order of the file."""
    remaining = iter(outcomes)
    for record in batch:
        outcome = next(remaining) if record.data else Outcome("failed")
        setattr(report, outcome.verdict, getattr(report, outcome.verdict) + 1)
        faults = record.faults if outcome.error is None else tuple(_faults_of(record, outcome.error))
        for fault in faults[:_FAULTS_OF_PRODUCT]:
            if len(report.faults) < _KEPT_FAULTS:
                report.faults.append(fault)
            yield fault


def _faults_of(record: Record, error: AppError) -> Iterator[Fault]:
    if not error.errors:
        yield Fault(record.line, f"product {record.handle!r}: {error.detail}")
    for fault in error.errors:
        yield record.locate(fault)


def _batches(
    file: BinaryIO, kind: Format, currency: str, seen: Seen, batch_size: int
) -> Generator[list[Record], None, None]:
    batch: list[Record] = []
    size = 0
    with closing((read_shopify_csv if kind == "csv" else read_json_lines)(file, currency)) as records:
        for record in records:
            batch.append(record)
            size += record.size
            if len(batch) == batch_size or size >= _BATCH_SIZE:
                yield _admitted(batch, kind, seen)
                batch, size = [], 0
    if batch:
        yield _admitted(batch, kind, seen)


def _admitted(batch: list[Record], kind: Format, seen: Seen) -> list[Record]:
    """The records, checked. All names at once, and only where one stood before one by one, to find which."""
    handles = {record.handle: record.line for record in batch}
    skus: dict[str, int] = {}
    named = 0
    for record in batch:
        own = _skus(record)
        skus |= own
        named += len(own)
    if len(handles) < len(batch) or "" in handles or len(skus) < named or not seen.all_new(handles, skus):
        batch = [_first_of_its_name(record, kind, seen) for record in batch]
    return [_checked(record) for record in batch]


def _skus(record: Record) -> dict[str, int]:
    """With the line of the first variant of each."""
    data = record.data
    if data is None or len(data.variants) > MAX_VARIANTS:
        return {}
    skus: dict[str, int] = {}
    for variant, line in zip(data.variants, record.variant_lines, strict=True):
        if variant.sku is not None:
            skus.setdefault(variant.sku, line)
    return skus


def _first_of_its_name(record: Record, kind: Format, seen: Seen) -> Record:
    """The record, or if the file had its handle or one of its SKUs before, its refusal: the first one wins."""
    skus = _skus(record)
    if seen.all_new({record.handle: record.line} if record.handle else {}, skus):
        return record
    before = seen.handle(record.handle, record.line) if record.handle else None
    if before is not None:
        hint = "; the rows of a product must be together" if kind == "csv" else ""
        fault = Fault(record.line, f"handle {record.handle!r} stood before at line {before}{hint}")
        return _refused(record, (*record.faults, fault))
    named = [variant.sku for variant in record.data.variants] if record.data else []
    faults = tuple(
        record.locate(
            FieldError(f"/variants/{named.index(sku)}/sku", "duplicate_sku", f"SKU {sku!r} stood before at line {line}")
        )
        for sku, line in seen.skus(skus).items()
    )
    return _refused(record, faults)


def _checked(record: Record) -> Record:
    """Here, beside the database at work, and not in its transaction."""
    if record.data is None:
        return record
    try:
        data = checked(record.data)
    except InvalidProduct as error:
        return _refused(record, tuple(_faults_of(record, error)))
    return record if data is record.data else replace(record, data=data)


def _refused(record: Record, faults: tuple[Fault, ...]) -> Record:
    return Record(record.line, record.handle, None, faults, record.locate)
