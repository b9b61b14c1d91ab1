"""The page and its pictures say what was measured, and nothing else changes in it."""

import xml.etree.ElementTree as ET
from pathlib import Path

from benchmarks.page import PAGE, publish
from benchmarks.pictures import PICTURES, Picture, drawn
from benchmarks.report import RESULTS, Row, at_least, at_most, not_measured, number, read_all, table, write

SVG = "{http://www.w3.org/2000/svg}"
ROWS = (
    Row("list: Portico", 1200.0, "requests/s"),
    Row("list: raw ASGI", 2400.0, "requests/s"),
    not_measured("item: Portico", "refused: it had 1 errors of the kind 'read' under load"),
    at_least("list: Portico to raw ASGI, requests/s", 0.5, "x", 0.6),
)


def test_numbers_have_three_digits_that_mean_something() -> None:
    assert [number(value) for value in (0, 7, 0.01234, 0.5, 12.34, 999.9, 1234.5, -0.5)] == [
        *("0", "7", "0.0123", "0.500", "12.3", "1,000", "1,234", "-0.500"),
    ]


def test_limits_belong_to_what_they_allow() -> None:
    rows = [
        at_least("a", 0.6, "x", 0.6),
        at_least("a", 0.59, "x", 0.6),
        at_most("a", 3, "s", 3),
        at_most("a", 4, "s", 3),
    ]

    assert [row.reached for row in rows] == [True, False, True, False]


def test_table_says_what_was_missed_and_what_was_not_measured() -> None:
    lines = table({"cached": ROWS}).splitlines()

    assert [line.split() for line in lines[1:2]] == [["cached:", "list:", "Portico", "1,200", "requests/s"]]
    assert "not measured: refused: it had 1 errors" in lines[3]
    assert lines[4].split("  ")[-1] == "MISSED"


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    write("cached", ROWS, tmp_path)

    assert read_all(tmp_path)["cached"].rows == ROWS


def test_picture_has_a_bar_for_each_number_as_long_as_it_is_large() -> None:
    picture = ET.fromstring(drawn(Picture("x.svg", "cached", "requests/s", "<Cached>"), ROWS))  # noqa: S314  our own

    bars = [(bar.get("class"), int(bar.get("width", ""))) for bar in picture.iter(f"{SVG}rect")]
    assert bars == [("ours", 235), ("theirs", 470)]
    texts = [text.text for text in picture.iter(f"{SVG}text")]
    assert texts == [
        *("<Cached>", "list", "Portico", "1,200", "raw ASGI", "2,400", "item", "Portico", "not measured"),
    ]


def test_publishing_renews_only_what_was_measured(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(PAGE.read_text())
    write("cached_reads", ROWS, tmp_path / "results")

    publish(tmp_path / "results", page)

    head, _, tail = page.read_text().partition("<!-- measured")
    assert head == PAGE.read_text().partition("<!-- measured")[0]
    assert "](pictures/cached-reads.svg)" in tail
    assert "| `cached_reads` | list: Portico to raw ASGI, requests/s | 0.500 x | at least 0.6 | MISSED |" in tail
    assert tail.rstrip().endswith("<!-- /measured -->")
    assert [file.name for file in (tmp_path / "pictures").iterdir()] == ["cached-reads.svg"]


def test_the_page_shows_the_results_that_are_kept(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(PAGE.read_text())

    publish(RESULTS, page)

    assert page.read_text() == PAGE.read_text()
    for picture in (each for each in PICTURES if (RESULTS / f"{each.benchmark}.json").exists()):
        assert (tmp_path / "pictures" / picture.file).read_text() == (
            PAGE.parent / "pictures" / picture.file
        ).read_text()
