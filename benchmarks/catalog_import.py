"""`portico products` as a whole, as a person starts it: 20,000 products of five variants in, in again, and out."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.products_file import write_products

PRODUCTS = 20_000
REQUIRED_PER_SECOND = 2_000
REQUIRED_MB = 200


@dataclass(frozen=True, slots=True)
class Timed:
    seconds: float
    peak_mb: float
    output: str


def run() -> list[tuple[str, str, str]]:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "products.csv"
        write_products(file, PRODUCTS)
        first = _portico(folder, "import", str(file))
        assert first.output == f"created {PRODUCTS} updated 0 unchanged 0 failed 0", first.output
        again = _portico(folder, "import", str(file))
        assert again.output == f"created 0 updated 0 unchanged {PRODUCTS} failed 0", again.output
        csv_out = _portico(folder, "export", str(Path(folder) / "out.csv"))
        json_out = _portico(folder, "export", str(Path(folder) / "out.jsonl"))
    return [
        *_lines("first import", first, REQUIRED_PER_SECOND),
        *_lines("second, unchanged import", again, REQUIRED_PER_SECOND),
        *_lines("export as csv", csv_out),
        *_lines("export as jsonl", json_out),
    ]


def _portico(folder: str, *arguments: str) -> Timed:
    """Runs the command; its own peak of memory comes from the kernel when it ends."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PORTICO_")}
    environment["PORTICO_DATA_DIR"] = str(Path(folder) / "var")
    command = [sys.executable, "-c", "from gateway.cli import main; main()", "products", *arguments]
    started = time.perf_counter()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        output = process.stdout.read().strip()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"{command} ended with {process.returncode}"
    return Timed(time.perf_counter() - started, usage.ru_maxrss / 1024, output)


def _lines(what: str, timed: Timed, per_second: int | None = None) -> list[tuple[str, str, str]]:
    rate = f"{PRODUCTS / timed.seconds:,.0f} products/s"
    return [
        (f"{what}, whole command", rate, f"at least {per_second:,}" if per_second else ""),
        (f"{what}, peak memory", f"{timed.peak_mb:.0f} MB", f"under {REQUIRED_MB}"),
    ]
