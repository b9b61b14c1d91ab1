"""What led to what: the request that an event, a job or a delivery comes from, and the parts of its trace.

An origin goes with what is written, as text: its `traceparent` (W3C Trace Context, level 1) and the id of its request.
Spans are made by `core.otlp` where an endpoint is set; elsewhere that is not loaded, and a span is nothing.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from typing import Literal, Protocol

from sqlalchemy import Engine

from core.context import RequestContext, current_request, enter_request, leave_request
from core.settings import Settings
from core.telemetry import Traceparent, new_ids, parse_traceparent

Kind = Literal["server", "producer", "consumer", "client"]
Value = str | int | float | bool


class Span(Protocol):
    """No secret is told, no value of a statement, and no text of an error."""

    def name(self, name: str) -> None: ...
    def tell(self, **values: Value) -> None:
        """By names whose dots are written as `__`."""
        ...

    def fail(self, kind: str) -> None:
        """`kind`: a class, a code or a status. The first word counts: later ones know less."""
        ...

    def end(self) -> None: ...


class Tracer(Protocol):
    """Per process."""

    def begin(self, context: RequestContext, given: Traceparent | None, name: str, kind: Kind) -> Span | None:
        """What the process has begun to do for somebody, who may have `given` a trace that it is a part of; else
        chance says whether it is traced. The context is told its ids. None: it is not traced.
        """
        ...

    def part(self, name: str, kind: Kind, values: Mapping[str, Value]) -> AbstractContextManager[Span]:
        """Of what is traced at this moment."""
        ...

    def statement(self, text: str, dialect: str) -> AbstractContextManager[object]: ...
    def follow(self, engine: Engine) -> None:
        """Each statement that the engine runs, as `statement`."""
        ...

    def span_id(self) -> str | None:
        """Of the innermost part."""
        ...

    async def close(self) -> None:
        """Sends what waits, for some seconds."""
        ...


class _Nothing:
    def name(self, name: str) -> None: ...
    def tell(self, **values: Value) -> None: ...
    def fail(self, kind: str) -> None: ...
    def end(self) -> None: ...


NOTHING = _Nothing()
_NO_PART: AbstractContextManager[Span] = nullcontext(NOTHING)
_tracer: Tracer | None = None


@asynccontextmanager
async def open_tracing(settings: Settings) -> AsyncIterator[None]:
    """Of the process, before what is traced is opened."""
    global _tracer  # noqa: PLW0603  one per process is the point
    server = settings.server
    if server.otlp_endpoint is None:
        yield
        return
    from core.otlp import OtlpTracer  # noqa: PLC0415  loaded where traces are sent

    made = OtlpTracer(str(server.otlp_endpoint), server.trace_ratio)
    _tracer = made
    try:
        yield
    finally:
        _tracer = None
        await made.close()


def begin_request(context: RequestContext, header: bytes | None) -> Span | None:
    """None where it is not traced; else somebody ends it. `header`: the request's `traceparent`."""
    if _tracer is None:
        return None
    return _tracer.begin(context, parse_traceparent(header), "request", "server")


def part(name: str, kind: Kind, **values: Value) -> AbstractContextManager[Span]:
    return _tracer.part(name, kind, values) if _tracer is not None else _NO_PART


def statement(text: str, dialect: str) -> AbstractContextManager[object]:
    return _tracer.statement(text, dialect) if _tracer is not None else _NO_PART


def follow(engine: Engine) -> None:
    if _tracer is not None:
        _tracer.follow(engine)


def traceparent() -> str | None:
    """Of what is asked of others now; None outside of any request and job."""
    context = current_request()
    if context is None:
        return None
    span_id = (_tracer.span_id() if _tracer is not None else None) or context.span_id
    return f"00-{context.trace_id}-{span_id}-{'01' if context.sampled else '00'}"


def origin() -> str | None:
    """Of what is written now."""
    context = current_request()
    return f"{traceparent()} {context.request_id}" if context is not None else None


@contextmanager
def led_by(origin: str | None, own_id: str, name: str, **values: Value) -> Iterator[Span]:
    """What runs inside belongs to the request and the trace of the origin: what it logs, writes and asks for. Without
    an origin it begins a trace, and its own id stands for the request's.
    """
    header, _, request_id = (origin or "").partition(" ")
    given = parse_traceparent(header.encode())
    _, trace_id, span_id = new_ids()
    context = RequestContext(
        request_id=request_id or own_id,
        trace_id=given.trace_id if given else trace_id,
        span_id=span_id,
        sampled=given is not None and given.sampled,
    )
    token = enter_request(context)
    span: Span = (_tracer.begin(context, given, name, "consumer") if _tracer is not None else None) or NOTHING
    try:
        with lasting(span, values):
            yield span
    finally:
        leave_request(token)


@contextmanager
def lasting(span: Span, values: Mapping[str, Value]) -> Iterator[Span]:
    """The span ends with what runs inside, and says whether that failed."""
    try:
        span.tell(**values)
        yield span
    except BaseException as error:
        span.fail(type(error).__qualname__)
        raise
    finally:
        span.end()
