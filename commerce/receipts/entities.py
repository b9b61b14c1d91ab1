"""A receipt."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Receipt:
    """Of one request, or of a WebSocket's handshake. Times are in seconds."""

    request_id: str  # the caller's word, so that several requests may share it
    trace_id: str
    at: datetime  # when it began
    audience: str
    method: str  # or WEBSOCKET
    route: str  # its template: what callers put into addresses is not kept
    status: int
    error_code: str | None
    principal: str | None  # their id; None for who is anonymous, or was not asked
    cache: str | None  # what the response cache did, as Cache-Status says; None where it has no say
    answered: float  # until the answer began
    total: float
    parts: Mapping[str, tuple[int, float]] = field(default_factory=dict)  # how often, how long (`core.receipts`)
