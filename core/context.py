"""Which request the running code serves: set once by the root, read by log lines and error bodies."""

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class RequestContext:
    """Per request. `error_code` is filled in when an error is answered, for the access log."""

    request_id: str
    trace_id: str
    span_id: str
    sampled: bool
    error_code: str | None = None


_current: ContextVar[RequestContext | None] = ContextVar("portico_request", default=None)

current_request = _current.get
enter_request = _current.set
leave_request = _current.reset


def current_request_id() -> str:
    """The request's id, or `-` outside of any."""
    context = _current.get()
    return context.request_id if context else "-"
