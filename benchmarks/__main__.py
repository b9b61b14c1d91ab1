"""Runs the benchmarks, all of them or those named, prints one table, and writes what each found to `results/` and to
docs/performance.md.
"""

import pkgutil
import sys
import time
import traceback
from importlib import import_module

import benchmarks
from benchmarks.page import publish
from benchmarks.report import Row, not_measured, table, write


def main(names: list[str]) -> int:
    """1 where a benchmark broke: its row says why, and the others are measured nevertheless."""
    runs = {name: module.run for name in _modules() if hasattr(module := import_module(f"benchmarks.{name}"), "run")}
    if unknown := set(names) - set(runs):
        sys.exit(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(runs)}")
    found: dict[str, list[Row]] = {}
    broken = False
    for name in names or runs:
        started = time.monotonic()
        print(f"{name} ...", file=sys.stderr)
        try:
            found[name] = runs[name]()
        except Exception as error:  # noqa: BLE001
            traceback.print_exc()
            found[name] = [not_measured("everything", f"{type(error).__name__}: {error}")]
            broken = True
        print(f"{name} took {time.monotonic() - started:.0f} s", file=sys.stderr)
        write(name, found[name])
        publish()
    print(table(found))
    return int(broken)


def _modules() -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules(benchmarks.__path__) if module.name != "__main__")


sys.exit(main(sys.argv[1:]))
