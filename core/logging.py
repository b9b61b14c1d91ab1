"""Structured log lines (structlog): JSON, or coloured text on a terminal, written to stderr by one thread.

The thread renders and writes, so that nobody waits for a stream. Entries of the standard `logging` module (uvicorn,
SQLAlchemy, Alembic) take the same way.
"""

import atexit
import json
import logging
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, TextIO

import structlog
from pydantic_core import to_json
from structlog.typing import EventDict, WrappedLogger

from core.context import Client, current_request

Entry = MutableMapping[str, Any]
_GATHER_SECONDS = 0.02
_LONGEST = 256  # of texts that are remembered as JSON
_SECRET_NAMES = ("password", "secret", "token", "authorization", "api_key", "cookie")
# uvicorn reports, after us, that an application ended without finishing its response: we logged why already.
_SAID_ALREADY = "ASGI callable returned without completing response."


class LogWriter:
    """One per process: entries in, lines out, in order. Survives a fork: the child starts a thread of its own.

    The thread waits a moment for more before it writes, so that a busy process wakes it, and calls the system, some
    times a second and not for each line.
    """

    def __init__(self, stream: TextIO, render: Callable[[Entry], str]) -> None:
        self._stream = stream
        self._render = render
        self._start_over()
        os.register_at_fork(after_in_child=self._start_over)
        atexit.register(self.flush)

    def _start_over(self) -> None:
        self._waiting: deque[Entry | str | threading.Event] = deque()
        self._bell, self._hurry = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def submit(self, entry: Entry | str) -> None:
        """An entry, or one that is JSON already."""
        self._waiting.append(entry)
        if not self._bell.is_set():
            self._bell.set()
            if self._thread is None:
                self._start()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="portico-log", daemon=True)
                self._thread.start()

    def flush(self, timeout_seconds: float = 2.0) -> None:
        """Waits until all that was submitted before is written."""
        if self._thread is not None and self._thread.is_alive():
            done = threading.Event()
            self._waiting.append(done)
            self._bell.set()
            self._hurry.set()
            done.wait(timeout_seconds)

    def _run(self) -> None:
        while True:
            self._bell.wait()
            self._hurry.wait(_GATHER_SECONDS)
            self._hurry.clear()
            self._bell.clear()  # before they are taken: what comes from now on rings again
            items = [self._waiting.popleft() for _ in range(len(self._waiting))]
            lines = [self._line(item) for item in items if not isinstance(item, threading.Event)]
            # A stream that is gone (a closed pipe) leaves nowhere to report it; nothing is kept all the same.
            with suppress(OSError, ValueError):
                self._stream.write("".join(lines))
                self._stream.flush()
            for item in items:
                if isinstance(item, threading.Event):
                    item.set()

    def _line(self, item: Entry | str) -> str:
        if isinstance(item, str) and self._render is _json:
            return item + "\n"
        entry: Entry = json.loads(item) if isinstance(item, str) else item
        try:
            return self._render(entry) + "\n"
        except Exception as error:  # noqa: BLE001  one entry that cannot be written must not silence the rest
            broken = {"event": str(entry.get("event")), "level": "error", "not_rendered": repr(error)}
            return self._render(broken) + "\n"


def _json(entry: Entry) -> str:
    """In ASCII: no character of a path ends a line, or moves a terminal's cursor."""
    try:
        return to_json(entry, fallback=str, ensure_ascii=True).decode()
    except ValueError:  # half a surrogate pair, which the slower one writes
        return json.dumps(entry, default=str)


class _Forward(logging.Handler):
    """Hands entries of the standard logging module to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
            if message != _SAID_ALREADY:
                level = record.levelno // 10 * 10  # structlog knows no levels between
                structlog.get_logger(record.name).log(level, message, exc_info=record.exc_info or None)
        except Exception:  # noqa: BLE001  as every handler does: a bad log call is not the caller's downfall
            self.handleError(record)


_writer: LogWriter | None = None


def configure_logging(*, level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Sets up structlog and the standard logging module; a second call replaces the first."""
    global _writer  # noqa: PLW0603  one writer per process is the point
    target = stream or sys.stderr
    console = structlog.dev.ConsoleRenderer(colors=True) if target.isatty() else None
    if _writer is not None:
        _writer.flush()
    _writer = LogWriter(target, _json if console is None else lambda entry: console(None, "", entry))
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            add_request,
            mask_secrets,
            structlog.processors.format_exc_info,
            _submit,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_Forward()]
    root.setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error", "gunicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(level)
    logging.getLogger("uvicorn.access").disabled = True  # the root middleware writes the access log


def write_entry(entry: Entry | str) -> None:
    """An entry that is complete, past all processors; the access log's are JSON already."""
    if _writer is not None:
        _writer.submit(entry)


def quoted(text: str | None) -> str:
    """As JSON has it, in ASCII: no character of a path ends a line, or moves a terminal's cursor."""
    return _remembered(text) if text is None or len(text) <= _LONGEST else json.dumps(text)


_remembered: Callable[[str | None], str] = lru_cache(2_048)(json.dumps)


def timestamp(seconds: float) -> str:
    """Of a moment since 1970, in UTC, as all entries have it."""
    whole = int(seconds)
    return f"{_second(whole)}.{int((seconds - whole) * 1_000_000):06}Z"


@lru_cache(4)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def flush_logs() -> None:
    if _writer is not None:
        _writer.flush()


def add_request(_logger: WrappedLogger, _method: str, event_dict: EventDict) -> EventDict:
    context = current_request()
    if context is not None:
        event_dict.setdefault("request_id", context.request_id)
        event_dict.setdefault("trace_id", context.trace_id)
        for name, value in client_fields(context.client).items():
            event_dict.setdefault(name, value)
    return event_dict


def client_fields(client: Client) -> dict[str, str]:
    """Of a line: nothing of a client that does not name itself."""
    if not client.name:
        return {}
    return {"client_name": client.name} | ({"client_version": client.version} if client.version else {})


def mask_secrets(_logger: WrappedLogger, _method: str, event_dict: EventDict) -> EventDict:
    """Whatever is named like a secret is not written."""
    for key in event_dict:
        if any(name in key.lower() for name in _SECRET_NAMES):
            event_dict[key] = "***"
    return event_dict


def _submit(_logger: WrappedLogger, _method: str, event_dict: EventDict) -> EventDict:
    write_entry(event_dict)
    raise structlog.DropEvent
