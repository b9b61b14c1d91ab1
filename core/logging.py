"""Structured log lines (structlog): JSON, or coloured text on a terminal, written to stderr by one thread.

The thread renders and writes, so that a request pays only for putting an entry on a queue. Entries of the standard
`logging` module (uvicorn, SQLAlchemy, Alembic) take the same way.
"""

import atexit
import logging
import os
import queue
import sys
import threading
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, WrappedLogger

from core.context import Client, current_request

Entry = MutableMapping[str, Any]
_SECRET_NAMES = ("password", "secret", "token", "authorization", "api_key", "cookie")
# uvicorn reports, after us, that an application ended without finishing its response: we logged why already.
_SAID_ALREADY = "ASGI callable returned without completing response."


class LogWriter:
    """One per process: entries in, lines out, in order. Survives a fork: the child starts a thread of its own."""

    def __init__(self, stream: TextIO, render: Callable[[Entry], str]) -> None:
        self._stream = stream
        self._render = render
        self._start_over()
        os.register_at_fork(after_in_child=self._start_over)
        atexit.register(self.flush)

    def _start_over(self) -> None:
        self._queue: queue.SimpleQueue[Entry | threading.Event] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def submit(self, entry: Entry) -> None:
        self._queue.put(entry)
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="portico-log", daemon=True)
                    self._thread.start()

    def flush(self, timeout_seconds: float = 2.0) -> None:
        """Waits until all that was submitted before is written."""
        if self._thread is not None and self._thread.is_alive():
            done = threading.Event()
            self._queue.put(done)
            done.wait(timeout_seconds)

    def _run(self) -> None:
        while True:
            item = self._queue.get()
            # A stream that is gone (a closed pipe) leaves nowhere to report it; the queue is emptied all the same.
            with suppress(OSError, ValueError):
                if not isinstance(item, threading.Event):
                    self._stream.write(self._line(item) + "\n")
                if self._queue.empty() or isinstance(item, threading.Event):
                    self._stream.flush()
            if isinstance(item, threading.Event):
                item.set()

    def _line(self, entry: Entry) -> str:
        try:
            return self._render(entry)
        except Exception as error:  # noqa: BLE001  one entry that cannot be written must not silence the rest
            return self._render({"event": str(entry.get("event")), "level": "error", "not_rendered": repr(error)})


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
    terminal = target.isatty()
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=True) if terminal else structlog.processors.JSONRenderer(default=str)
    )
    if _writer is not None:
        _writer.flush()
    _writer = LogWriter(target, lambda entry: str(renderer(None, "", entry)))
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


def write_entry(entry: Entry) -> None:
    """The short way for the access log: an entry that is complete, past all processors."""
    if _writer is not None:
        _writer.submit(entry)


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
