"""Bars as SVG, made from what benchmarks found; readable on light and on dark paper."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby

from benchmarks.report import Row, number

_WIDTH, _LABELS, _VALUES = 760, 190, 100  # pixels; the bars have what is left
_BAR, _GAP, _HEAD = 20, 6, 34
_STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-size: 15px; font-weight: 600 }
  .group { font-weight: 600 }
  .ours { fill: #0b7a5c }
  .theirs { fill: #8b949e }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .ours { fill: #3fb98f } .theirs { fill: #6e7681 } }
"""


@dataclass(frozen=True, slots=True)
class Picture:
    """Of the rows of one benchmark that are in one unit."""

    file: str
    benchmark: str
    unit: str
    title: str


PICTURES = (
    Picture("cached-reads.svg", "cached_reads", "requests/s", "Cached reads: requests a second (more is better)"),
    Picture("uncached-reads.svg", "uncached_reads", "CPU ms a request", "Uncached reads: CPU ms (less is better)"),
    Picture("graphql.svg", "graphql", "CPU ms a request", "20 products by GraphQL: CPU ms (less is better)"),
)


def drawn(picture: Picture, rows: Sequence[Row]) -> str:
    """A row is a bar: `question: who`. What was not measured has none, and says so."""
    shown = [row for row in rows if row.unit == picture.unit or (row.value is None and not row.required)]
    largest = max((row.value for row in shown if row.value is not None), default=1.0)
    parts, top = [_text(0, 16, picture.title, "title")], _HEAD
    for question, some in groupby(shown, key=lambda row: row.what.partition(": ")[0]):
        parts.append(_text(0, top + 14, question, "group"))
        top += _BAR + _GAP
        for row in some:
            parts += _bar(row, top, largest)
            top += _BAR + _GAP
    body = "\n  ".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top}" role="img">\n'
        f"  <title>{escape(picture.title)}</title>\n  <style>{_STYLE}  </style>\n  {body}\n</svg>\n"
    )


def _bar(row: Row, top: int, largest: float) -> list[str]:
    who = row.what.partition(": ")[2]
    label = _text(12, top + 15, who, "label")
    if row.value is None:
        return [label, _text(_LABELS, top + 15, "not measured", "value")]
    width = max(1, round((_WIDTH - _LABELS - _VALUES) * row.value / largest))
    kind = "ours" if who.startswith("Portico") else "theirs"
    bar = f'<rect class="{kind}" x="{_LABELS}" y="{top}" width="{width}" height="{_BAR}" rx="2"/>'
    return [label, bar, _text(_LABELS + width + 6, top + 15, number(row.value), "value")]


def _text(left: int, base: int, text: str, kind: str) -> str:
    return f'<text class="{kind}" x="{left}" y="{base}">{escape(text)}</text>'
