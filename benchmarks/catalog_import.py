"""`portico products` as a whole, as a person starts it: 20,000 products of five variants in, in again, and out."""

import csv
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

PRODUCTS = 20_000
SIZES = ("XS", "S", "M", "L", "XL")
REQUIRED_PER_SECOND = 2_000
REQUIRED_MB = 200
_HEADER = (
    *("Handle", "Title", "Body (HTML)", "Vendor", "Type", "Tags", "Published", "Option1 Name", "Option1 Value"),
    *("Variant SKU", "Variant Grams", "Variant Inventory Tracker", "Variant Inventory Qty"),
    *("Variant Inventory Policy", "Variant Fulfillment Service", "Variant Price", "Variant Compare At Price"),
    *("Variant Requires Shipping", "Variant Taxable", "Variant Barcode", "Image Src", "Image Position"),
    *("Image Alt Text", "Gift Card", "SEO Title", "SEO Description", "Variant Weight Unit", "Cost per item", "Status"),
)


@dataclass(frozen=True, slots=True)
class Timed:
    seconds: float
    peak_mb: float
    output: str


def run() -> list[tuple[str, str, str]]:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "products.csv"
        with file.open("w", newline="", encoding="utf-8") as opened:
            writer = csv.writer(opened)
            writer.writerow(_HEADER)
            writer.writerows(_rows())
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


def _rows() -> Iterator[list[str]]:
    for number in range(PRODUCTS):
        handle = f"bench-product-{number}"
        first = [
            f"Bench Product {number}",
            f"<p>Product <strong>{number}</strong> is made of words that nobody reads.</p><ul><li>One</li></ul>",
            f"Vendor {number % 40}",
            f"Category {number % 25}",
            f"tag-{number % 7}, tag-{number % 11}-b, sale",
            "true",
        ]
        for index, size in enumerate(SIZES):
            start = [handle, *(first if index == 0 else [""] * 6), "Size" if index == 0 else "", size]
            stock = [f"BP-{number}-{size}", "400", "shopify", str(number % 90), "deny", "manual"]
            price = [f"{10 + number % 90}.99", "", "true", "true", str(10**12 + number * 10 + index)]
            image = [f"https://images.example.com/{number}/{index}.jpg", str(index + 1), f"View {index}"]
            blank = ["false", "", ""] if index == 0 else ["", "", ""]
            yield [*start, *stock, *price, *(image if index < 2 else ["", "", ""]), *blank, "kg", "4.20", "active"]  # noqa: PLR2004


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
