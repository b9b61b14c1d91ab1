"""Runs the benchmark modules, all of them or those named, and prints one table."""

import pkgutil
import sys
from importlib import import_module

import benchmarks

Row = tuple[str, str, str]  # what was measured, the measure, and what is required of it


def main(names: list[str]) -> None:
    modules = sorted(module.name for module in pkgutil.iter_modules(benchmarks.__path__) if module.name != "__main__")
    unknown = set(names) - set(modules)
    if unknown:
        sys.exit(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(modules)}")
    table: list[Row] = []
    for name in names or modules:
        print(f"running {name} ...", file=sys.stderr)
        module = import_module(f"benchmarks.{name}")
        if hasattr(module, "run"):
            table += [(f"{name}: {what}", measure, required) for what, measure, required in module.run()]
    heads = ("measurement", "measured", "required")
    widths = [max(len(row[column]) for row in [heads, *table]) for column in range(3)]
    for what, measure, required in [heads, *table]:
        print(f"{what:<{widths[0]}}  {measure:>{widths[1]}}  {required}".rstrip())


main(sys.argv[1:])
