"""Which request the running code serves, and who sent it: set once by the root, read by log lines and error bodies."""

import re
from contextvars import ContextVar
from dataclasses import dataclass

_CLIENT_TEXT = re.compile(r"(?! )[A-Za-z0-9._/@+: -]{1,64}(?<! )")


@dataclass(frozen=True, slots=True)
class Client:
    """The program that calls, as it names itself: good for statistics, never for rights. Empty where it does not."""

    name: str = ""
    version: str = ""


NAMELESS = Client()


def client_named(name: object, version: object) -> Client:
    """What is no short plain text counts as not said, and a version without a name says nothing."""
    if not isinstance(name, str) or not _CLIENT_TEXT.fullmatch(name):
        return NAMELESS
    return Client(name, version if isinstance(version, str) and _CLIENT_TEXT.fullmatch(version) else "")


class Notes:
    """What the code that serves a request says of it (`core.receipts`): of parts how often and for how many seconds,
    and facts.
    """

    __slots__ = ("facts", "parts")

    def __init__(self) -> None:
        self.parts: dict[str, list[float]] = {}
        self.facts: dict[str, str] = {}


@dataclass(slots=True)
class RequestContext:
    """Per request. `error_code` is filled in when an error is answered, for the access log; a WebSocket may name its
    client later than its headers.
    """

    request_id: str
    trace_id: str
    span_id: str
    sampled: bool
    client: Client = NAMELESS
    error_code: str | None = None
    notes: Notes | None = None  # until there is something to say


_current: ContextVar[RequestContext | None] = ContextVar("portico_request", default=None)

current_request = _current.get
enter_request = _current.set
leave_request = _current.reset


def current_request_id() -> str:
    """The request's id, or `-` outside of any."""
    context = _current.get()
    return context.request_id if context else "-"


def current_client() -> Client:
    """The request's, nameless outside of any."""
    context = _current.get()
    return context.client if context else NAMELESS
