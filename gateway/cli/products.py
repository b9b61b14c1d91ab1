"""`portico products`: the catalogue in from a file, and out to one. Loads nothing of the web."""

import asyncio
import gc
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, TYPE_CHECKING, Annotated, BinaryIO

import typer

from commerce.catalog.transfer.records import Fault, Format, format_of
from core.settings import Settings
from gateway.cli.console import current_database, refusals, refuse, settings_or_refuse

if TYPE_CHECKING:
    from commerce.catalog.transfer.importer import OnFault, OnProgress, Report

app = typer.Typer(no_args_is_help=True, help="The catalogue in from a file, and out to one.")


@app.callback()
def products() -> None:
    """The catalogue in from a file, and out to one."""


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv|FILE.jsonl", help="Shopify product CSV, or JSON Lines.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read, check and count; change nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The summary as a JSON object.")] = False,
) -> None:
    """Create or replace products by handle. A product with a fault is left as it was; the others are imported."""
    # Millions of small values and hardly a cycle: the collector would take a quarter of the time.
    gc.freeze()
    gc.set_threshold(1_000_000, 20, 100)
    # The database's thread and the loop hand on work some dozens of times in a batch, and the reader of the file, which
    # is always busy, would keep each waiting for 5 ms.
    sys.setswitchinterval(0.0005)
    with _refusals(), file.open("rb") as opened:
        source = _Source(opened, file.name, format_of(file.name), os.fstat(opened.fileno()).st_size)
        report = asyncio.run(_import(settings_or_refuse(), source, dry_run=dry_run))
    if as_json:
        errors = [{"line": fault.line, "message": fault.message} for fault in report.faults]
        counts = {name: getattr(report, name) for name in ("created", "updated", "unchanged", "failed")}
        typer.echo(json.dumps(counts | {"errors": errors}))
    else:
        typer.echo(str(report))
    if report.failed:
        raise typer.Exit(1)


@app.command("export")
def export_file(
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="Standard output if not given.")] = None,
    kind: Annotated[Format | None, typer.Option("--format", help="Told by FILE's name if not given; else csv.")] = None,
) -> None:
    """Write all products, also those that are not on sale. Importing the file again changes nothing."""
    if kind is None:
        kind = "jsonl" if file is not None and file.suffix in (".jsonl", ".ndjson") else "csv"
    with _refusals():
        if file is None:
            asyncio.run(_export(settings_or_refuse(), kind, sys.stdout.buffer))
        else:
            with _replacing(file) as target:
                asyncio.run(_export(settings_or_refuse(), kind, target))


@dataclass(frozen=True, slots=True)
class _Source:
    file: BinaryIO
    name: str
    kind: Format
    size: int


async def _import(settings: Settings, source: _Source, *, dry_run: bool) -> "Report":
    from commerce.catalog.transfer.importer import import_products  # noqa: PLC0415  slow to load
    from core.clock import SystemClock  # noqa: PLC0415

    async with current_database(settings) as database:
        await database.expect_bulk()
        with _terminal(source.size) as (on_progress, on_fault):
            return await import_products(
                database,
                SystemClock(),
                source.file,
                source.kind,
                currency=settings.shop.currency,
                actor="cli",
                name=source.name,
                dry_run=dry_run,
                on_progress=on_progress,
                on_fault=on_fault,
            )


async def _export(settings: Settings, kind: Format, target: IO[bytes]) -> None:
    from commerce.catalog.transfer.exporter import export_products  # noqa: PLC0415  slow to load

    async with current_database(settings) as database:
        pieces = export_products(database, kind, currency=settings.shop.currency, public_only=False)
        async for piece in pieces:
            target.write(piece)
        target.flush()


@contextmanager
def _refusals() -> Iterator[None]:
    """Every command's refusals, and what may be wrong with a file, as one line."""
    try:
        with refusals():
            yield
    except BrokenPipeError:
        # The reader has seen enough; nothing is left to flush at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(1) from None
    except OSError as error:
        refuse(f"{error.filename}: {error.strerror}" if error.filename else str(error))


@contextmanager
def _terminal(size: int) -> Iterator[tuple["OnProgress | None", "OnFault"]]:
    """Faults on stderr, and above them a bar where somebody is looking."""
    if not sys.stderr.isatty():
        yield None, lambda fault: typer.echo(_printable(fault), err=True)
        return
    from rich.console import Console  # noqa: PLC0415  slow to load, and only for people
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn  # noqa: PLC0415

    console = Console(stderr=True)
    with Progress(BarColumn(), DownloadColumn(), TimeRemainingColumn(), console=console, transient=True) as progress:
        task = progress.add_task("import", total=size)
        yield (
            lambda done: progress.update(task, completed=done),
            lambda fault: console.print(_printable(fault), markup=False, highlight=False, soft_wrap=True),
        )


def _printable(fault: Fault) -> str:
    """A file's own texts must not steer the terminal."""
    return "".join(mark if mark.isprintable() else repr(mark)[1:-1] for mark in str(fault))


@contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes its name only when it is whole. A device or a pipe is written to as it is."""
    path = path.resolve()
    if path.exists() and not path.is_file():
        with path.open("wb") as opened:
            yield opened
        return
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as made:
        try:
            yield made
            made.flush()
            os.fsync(made.fileno())
            Path(made.name).chmod(0o644)
            Path(made.name).replace(path)
        finally:
            with suppress(FileNotFoundError):
                Path(made.name).unlink()


if __name__ == "__main__":
    app()
