"""Spans by OpenTelemetry's SDK, sent over OTLP/HTTP by a thread of its own. `core.tracing` loads this.

Whether something is traced is said before anything is made of it, so that what is not costs no more than without this.
A bounded queue takes what has ended; when the collector is away or slow, the oldest of it is dropped, and nobody waits.
"""

import asyncio
import logging
import os
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from importlib.metadata import version
from typing import Any, NamedTuple

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, TraceIdRatioBased
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    format_span_id,
    format_trace_id,
    set_span_in_context,
)
from sqlalchemy import Engine, event

from core.context import RequestContext
from core.telemetry import Traceparent
from core.tracing import NOTHING, Kind, Span, Value, lasting

_PATH = "v1/traces"
_QUEUE = 4_096  # spans
_BATCH = 512
_SEND_SECONDS = 5.0  # for the collector to take a batch, its retries included
_CLOSE_SECONDS = 3.0
_LONGEST_TEXT = 2_000  # of a statement
_KINDS: dict[Kind, SpanKind] = {
    "server": SpanKind.SERVER,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
    "client": SpanKind.CLIENT,
}
_SYSTEMS = {"postgresql": "postgresql", "sqlite": "sqlite"}
# SQLAlchemy writes some values into the text that it compiles; no trace shows one.
_VALUES = re.compile(r"'(?:[^']|'')*'|(?<![\w$:])\d+(?:\.\d+)?\b")
_OPERATION = re.compile(r"\s*([A-Z]+)", re.IGNORECASE)
_TABLE = re.compile(r'\b(?:FROM|INTO|UPDATE)\s+"?(\w+)', re.IGNORECASE)


class _Described(NamedTuple):
    name: str
    values: dict[str, Value]


@lru_cache(512)
def _described(text: str, dialect: str) -> _Described:
    """A statement as OpenTelemetry names it (semantic conventions for databases, 1.38)."""
    operation = _OPERATION.match(text)
    verb = operation[1].upper() if operation else "SQL"
    if verb == "WITH":  # of ours they only read
        verb = "SELECT"
    table = _TABLE.search(text)
    values: dict[str, Value] = {
        "db.system.name": _SYSTEMS[dialect],
        "db.operation.name": verb,
        "db.query.text": _VALUES.sub("?", text)[:_LONGEST_TEXT],
    }
    if table is None:
        return _Described(verb, values)
    return _Described(f"{verb} {table[1]}", values | {"db.collection.name": table[1]})


class _Span:
    """`token`: of the context that it is the current one of, where it is to leave it when it ends."""

    def __init__(self, span: trace.Span, token: Any = None) -> None:
        self._span = span
        self._token = token
        self._failed = False

    def name(self, name: str) -> None:
        self._span.update_name(name)

    def tell(self, **values: Value) -> None:
        self._span.set_attributes({name.replace("__", "."): value for name, value in values.items()})

    def fail(self, kind: str) -> None:
        if not self._failed:
            self._failed = True
            self._span.set_attribute("error.type", kind)
            self._span.set_status(StatusCode.ERROR)

    def end(self) -> None:
        self._span.end()
        if self._token is not None:
            otel_context.detach(self._token)


class OtlpTracer:
    """Per process."""

    def __init__(self, endpoint: str, ratio: float) -> None:
        logging.getLogger("opentelemetry").setLevel(logging.ERROR)  # of each retry it would tell
        base = endpoint.rstrip("/")
        exporter = OTLPSpanExporter(
            endpoint=base if base.endswith(f"/{_PATH}") else f"{base}/{_PATH}", timeout=_SEND_SECONDS
        )
        self._processor = BatchSpanProcessor(exporter, max_queue_size=_QUEUE, max_export_batch_size=_BATCH)
        resource = Resource.create(
            {
                "service.name": os.environ.get("OTEL_SERVICE_NAME", "portico"),
                "service.version": version("portico"),
                "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
            }
        )
        # Sampled is what `begin` lets through.
        provider = TracerProvider(sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False)
        provider.add_span_processor(self._processor)
        self._tracer = provider.get_tracer("portico", version("portico"))
        self._bound = TraceIdRatioBased.get_bound_for_rate(ratio)

    def begin(self, context: RequestContext, given: Traceparent | None, name: str, kind: Kind) -> Span | None:
        context.sampled = given.sampled if given is not None else self._samples(context.trace_id)
        if not context.sampled:
            return None
        span = self._tracer.start_span(name, context=_parent(given), kind=_KINDS[kind])
        made = span.get_span_context()
        context.trace_id, context.span_id = format_trace_id(made.trace_id), format_span_id(made.span_id)
        return _Span(span, otel_context.attach(set_span_in_context(span)))

    def _samples(self, trace_id: str) -> bool:
        """As OpenTelemetry's sampler by ratio: by the last 64 bits."""
        return int(trace_id[16:], 16) < self._bound

    @contextmanager
    def part(self, name: str, kind: Kind, values: Mapping[str, Value]) -> Iterator[Span]:
        if not trace.get_current_span().is_recording():
            yield NOTHING
            return
        made = self._tracer.start_span(name, kind=_KINDS[kind])
        with lasting(_Span(made, otel_context.attach(set_span_in_context(made))), values) as span:
            yield span

    @contextmanager
    def statement(self, text: str, dialect: str) -> Iterator[None]:
        span = self._asked(text, dialect)
        try:
            yield
        except BaseException as error:
            _end(span, error)
            raise
        _end(span, None)

    def follow(self, engine: Engine) -> None:
        dialect = engine.dialect.name

        @event.listens_for(engine, "before_cursor_execute")
        def begin(_connection: Any, _cursor: Any, text: str, _values: Any, context: Any, _many: bool) -> None:
            if context is not None:  # those of `core.direct` are told of by it
                context.portico_span = self._asked(text, dialect)

        @event.listens_for(engine, "after_cursor_execute")
        def end(_connection: Any, _cursor: Any, _text: str, _values: Any, context: Any, _many: bool) -> None:
            _end(context.portico_span, None)

        @event.listens_for(engine, "handle_error")
        def fail(failure: Any) -> None:
            _end(getattr(failure.execution_context, "portico_span", None), failure.original_exception)

    def _asked(self, text: str, dialect: str) -> trace.Span | None:
        if not trace.get_current_span().is_recording():
            return None
        name, values = _described(text, dialect)
        return self._tracer.start_span(name, kind=SpanKind.CLIENT, attributes=values)

    def span_id(self) -> str | None:
        span = trace.get_current_span()
        return format_span_id(span.get_span_context().span_id) if span.is_recording() else None

    async def close(self) -> None:
        """Of a thread that cannot end the process waits: a collector may say nothing."""
        loop, closed = asyncio.get_running_loop(), asyncio.Event()

        def shut_down() -> None:
            self._processor.shutdown()  # type: ignore[no-untyped-call]
            if not loop.is_closed():
                loop.call_soon_threadsafe(closed.set)

        threading.Thread(target=shut_down, name="portico-traces", daemon=True).start()
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await closed.wait()
        except TimeoutError:
            logging.getLogger("portico.tracing").warning("the collector did not take the last spans in time")


def _parent(given: Traceparent | None) -> Context:
    if given is None:
        return Context()
    remote = SpanContext(int(given.trace_id, 16), int(given.span_id, 16), is_remote=True, trace_flags=TraceFlags(1))
    return set_span_in_context(NonRecordingSpan(remote), Context())


def _end(span: trace.Span | None, error: BaseException | None) -> None:
    if span is not None:
        if error is not None:
            span.set_attribute("error.type", type(error).__qualname__)
            span.set_status(StatusCode.ERROR)
        span.end()
