"""Runs the benchmarks, all of them or those named, prints one table, and writes what each found to `results/` and to
docs/performance.md.
"""

import sys
import time
import traceback
from importlib import import_module
from pathlib import Path

from benchmarks.harness.limits import TooLong, at_most_seconds, end_in_order
from benchmarks.page import publish
from benchmarks.report import Row, not_measured, table, write

FOLDER = Path(__file__).parent
SECONDS = 25 * 60  # that one question may take; the first `scale` makes two shops of a million products


def main(names: list[str]) -> int:
    """1 where a benchmark broke: its row says why, and the others are measured nevertheless."""
    known = _modules()
    if unknown := set(names) - set(known):
        sys.exit(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    end_in_order()
    found: dict[str, list[Row]] = {}
    taken: dict[str, float] = {}
    broken = False
    for name in names or known:
        started = time.monotonic()
        print(f"{name} ...", file=sys.stderr)
        try:
            with at_most_seconds(SECONDS):
                found[name] = import_module(f"benchmarks.{name}").run()
        except (TooLong, Exception) as error:  # noqa: BLE001
            traceback.print_exc()
            found[name] = [not_measured("everything", f"{type(error).__name__}: {error}")]
            broken = True
        taken[name] = time.monotonic() - started
        print(f"{name} took {taken[name]:.0f} s", file=sys.stderr)
        write(name, found[name])
        publish()
    print(table(found))
    print("\n".join(f"{name} took {seconds:.0f} s" for name, seconds in taken.items()))
    print(f"all of it took {sum(taken.values()) / 60:.0f} minutes")
    return int(broken)


def _modules() -> list[str]:
    """Those that measure: each has a function `run()`."""
    return sorted(file.stem for file in FOLDER.glob("*.py") if "\ndef run()" in file.read_text(encoding="utf-8"))


sys.exit(main(sys.argv[1:]))
