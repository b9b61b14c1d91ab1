import io
import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from core import logging as core_logging
from core.context import RequestContext, enter_request, leave_request
from core.logging import configure_logging, flush_logs, quoted, timestamp, write_entry


class Log(io.StringIO):
    def entries(self) -> list[dict[str, Any]]:
        flush_logs()
        return [json.loads(line) for line in self.getvalue().splitlines()]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[Log]:
    """What is logged, in memory; afterwards logging is as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    access_log = logging.getLogger("uvicorn.access")
    monkeypatch.setattr(access_log, "disabled", access_log.disabled)
    monkeypatch.setattr(core_logging, "_writer", None)
    stream = Log()
    configure_logging(stream=stream)
    yield stream
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_line_is_json_with_level_and_time(log: Log) -> None:
    structlog.get_logger().warning("disk_low", free=7)

    (entry,) = log.entries()
    assert entry.pop("timestamp").endswith("Z")
    assert entry == {"event": "disk_low", "level": "warning", "free": 7}


def test_debug_is_left_out(log: Log) -> None:
    structlog.get_logger().debug("detail")

    assert log.entries() == []


@pytest.mark.parametrize(
    "name", ["password", "new_password", "SECRET_KEY", "access_token", "Authorization", "api_key", "set_cookie"]
)
def test_secret_is_masked(log: Log, name: str) -> None:
    structlog.get_logger().info("login", user="usr_1", **{name: "hunter2"})

    (entry,) = log.entries()
    assert entry[name] == "***"
    assert entry["user"] == "usr_1"
    assert "hunter2" not in log.getvalue()


def test_request_and_trace_are_added_inside_a_request_only(log: Log) -> None:
    mark = enter_request(RequestContext("req_1", "a" * 32, "b" * 16, sampled=True))
    structlog.get_logger().info("inside")
    leave_request(mark)
    structlog.get_logger().info("outside")

    inside, outside = log.entries()
    assert (inside["request_id"], inside["trace_id"]) == ("req_1", "a" * 32)
    assert "request_id" not in outside


def test_exception_is_written_with_its_traceback_on_the_same_line(log: Log) -> None:
    try:
        raise LookupError("no shelf")
    except LookupError:
        structlog.get_logger().exception("failed")

    (entry,) = log.entries()
    assert entry["level"] == "error"
    assert entry["exception"].startswith("Traceback (most recent call last):")
    assert entry["exception"].endswith("LookupError: no shelf")


def test_order_is_kept(log: Log) -> None:
    for number in range(5000):
        write_entry({"number": number})

    assert [entry["number"] for entry in log.entries()] == list(range(5000))


def test_entry_that_is_json_already_keeps_its_place(log: Log) -> None:
    write_entry({"number": 1})
    write_entry('{"number":2}')
    write_entry({"number": 3})

    assert [entry["number"] for entry in log.entries()] == [1, 2, 3]


@pytest.mark.usefixtures("log")
def test_terminal_shows_an_entry_that_is_json_already_as_any_other() -> None:
    terminal = Terminal()
    configure_logging(stream=terminal)

    write_entry({"event": "request", "level": "info", "path": "/\u00e9"})
    write_entry('{"event":"request","level":"info","path":"/\\u00e9"}')
    flush_logs()

    first, second = terminal.getvalue().splitlines()
    assert first == second
    assert "path" in first
    assert "{" not in first


@pytest.mark.parametrize("character", ["\n", "\x1b", "\x85", "\x9b", "\u2028", "\ud800", "\U0001f600"])
def test_no_character_ends_a_line_or_reaches_a_terminal(log: Log, character: str) -> None:
    write_entry({"path": f"/a{character}b"})

    (entry,) = log.entries()
    assert entry == {"path": f"/a{character}b"}
    assert re.fullmatch(r"[\x20-\x7e]*\n", log.getvalue())


@pytest.mark.parametrize("length", [1, 300])
@pytest.mark.parametrize("character", ["\n", '"', "\x1b", "\x85", "\u2028", "\ud800", "\U0001f600"])
def test_text_of_an_entry_that_is_made_by_hand_is_plain_too(character: str, length: int) -> None:
    text = character * length

    assert json.loads(quoted(text)) == text
    assert re.fullmatch(r"[\x20-\x7e]*", quoted(text))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "1970-01-01T00:00:00.000000Z"), (1_793_361_600.25, "2026-10-30T12:00:00.250000Z")],
)
def test_moment_is_written_in_utc(seconds: float, text: str) -> None:
    assert timestamp(seconds) == text


def test_standard_logging_is_forwarded(log: Log) -> None:
    logging.getLogger("uvicorn.error").info("started on %s", "port 8000")
    logging.getLogger("alembic").info("below the level of libraries")
    logging.getLogger("sqlalchemy.pool").error("lost", exc_info=ValueError("gone"))

    started, lost = log.entries()
    assert (started["event"], started["level"]) == ("started on port 8000", "info")
    assert (lost["event"], lost["level"]) == ("lost", "error")
    assert lost["exception"] == "ValueError: gone"


def test_percent_sign_of_a_forwarded_message_is_only_text(log: Log) -> None:
    logging.getLogger("uvicorn.error").info("100%s done %(x)s")

    assert [entry["event"] for entry in log.entries()] == ["100%s done %(x)s"]


def test_level_between_the_usual_ones_is_forwarded(log: Log) -> None:
    logging.getLogger("alembic").log(35, "notable")

    assert [(entry["event"], entry["level"]) for entry in log.entries()] == [("notable", "warning")]


def test_bad_call_of_standard_logging_does_not_break_its_caller(log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    library = logging.Logger("library")  # noqa: LOG001  one that pytest's own handler does not see
    library.addHandler(core_logging._Forward())

    library.error("%d pieces", "some")
    library.error("next")

    assert [entry["event"] for entry in log.entries()] == ["next"]
    assert "some" in capsys.readouterr().err


def test_value_that_is_no_json_is_written_as_text(log: Log) -> None:
    structlog.get_logger().info("saved", path=Path("/srv/shop"))

    assert log.entries()[0]["path"] == "/srv/shop"


def test_entry_that_cannot_be_written_does_not_silence_the_next(log: Log) -> None:
    circular: list[Any] = []
    circular.append(circular)

    structlog.get_logger().info("broken", value=circular)
    structlog.get_logger().info("next")

    broken, following = log.entries()
    assert (broken["event"], broken["level"]) == ("broken", "error")
    assert "ircular" in broken["not_rendered"]
    assert following["event"] == "next"


def test_gone_stream_holds_nobody_up_and_keeps_nothing(log: Log) -> None:
    log.close()

    for _ in range(100):
        write_entry({"event": "lost"})
    flush_logs()

    writer = core_logging._writer
    assert writer is not None
    assert not writer._waiting


def test_both_sides_of_a_fork_go_on_logging() -> None:
    program = """
import os, structlog
from core.logging import configure_logging, flush_logs
configure_logging()
log = structlog.get_logger()
log.info("before")
flush_logs()
child = os.fork()
log.info("child" if child == 0 else "parent")
flush_logs()
if child == 0:
    os._exit(0)
os.waitpid(child, 0)
log.info("at exit")
"""

    finished = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
        cwd=Path(__file__).parents[2],
    )

    events = [json.loads(line)["event"] for line in finished.stderr.splitlines()]
    assert sorted(events) == ["at exit", "before", "child", "parent"]
    assert (events[0], events[-1]) == ("before", "at exit")
