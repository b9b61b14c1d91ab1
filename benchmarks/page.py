"""docs/performance.md and its pictures, renewed from results/ after each run."""

from collections.abc import Mapping
from pathlib import Path

from benchmarks.pictures import PICTURES, drawn
from benchmarks.report import RESULTS, Found, measured, read_all, verdict

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
_START, _END = "<!-- measured: from here on `make bench` writes -->", "<!-- /measured -->"


def publish(results: Path = RESULTS, page: Path = PAGE) -> None:
    found = read_all(results)
    folder = page.parent / "pictures"
    folder.mkdir(exist_ok=True)
    for picture in PICTURES:
        if picture.benchmark in found:
            (folder / picture.file).write_text(drawn(picture, found[picture.benchmark].rows), encoding="utf-8")
    before, _, rest = page.read_text(encoding="utf-8").partition(_START)
    after = rest.partition(_END)[2]
    shown = f"\n{tables(found)}\n" if found else ""
    page.write_text(f"{before}{_START}\n{shown}{_END}{after}", encoding="utf-8")


def tables(found: Mapping[str, Found]) -> str:
    """Pictures, what is required, then all that was measured."""
    required = [
        f"| `{name}` | {row.what} | {measured(row)} | {row.required} | {verdict(row)} |"
        for name, each in found.items()
        for row in each.rows
        if row.required
    ]
    pictures = [f"![{each.title}](pictures/{each.file})" for each in PICTURES if each.benchmark in found]
    lines = [
        *pictures,
        "",
        "### What is required",
        "",
        "| | | measured | required | |",
        "|---|---|---:|---|---|",
        *required,
        "",
    ]
    for name, each in found.items():
        lines += [f"### {name}", "", f"{each.measured_at[:10]}, {each.machine}", "", "| | measured |", "|---|---:|"]
        lines += [f"| {row.what} | {measured(row)} |" for row in each.rows]
        lines.append("")
    return "\n".join(lines)
