"""What led to what, with and without a collector."""

import logging
import subprocess
import sys

import pytest
from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased
from opentelemetry.trace import format_trace_id

from core import tracing
from core.context import RequestContext, current_request, enter_request, leave_request
from core.otlp import OtlpTracer, _described
from core.settings import ServerSettings, Settings
from core.telemetry import Traceparent

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
ORIGIN = f"00-{TRACE}-{SPAN}-01 the-request"


def test_what_an_origin_led_to_has_its_trace_and_its_request() -> None:
    with tracing.led_by(ORIGIN, "job_1", "job x"):
        context = current_request()
        passed_on = tracing.origin()

    assert context is not None
    assert (context.request_id, context.trace_id, context.sampled) == ("the-request", TRACE, True)
    assert context.span_id != SPAN
    assert passed_on == f"00-{TRACE}-{context.span_id}-01 the-request"
    assert current_request() is None


@pytest.mark.parametrize("origin", [None, "", "nonsense"])
def test_what_nobody_led_to_begins_a_trace_under_its_own_id(origin: str | None) -> None:
    with tracing.led_by(origin if origin != "nonsense" else "nonsense ", "job_1", "job x"):
        context = current_request()

    assert context is not None
    assert (context.request_id, context.sampled, len(context.trace_id)) == ("job_1", False, 32)


def test_outside_of_requests_and_jobs_there_is_no_origin() -> None:
    assert tracing.origin() is None
    assert tracing.traceparent() is None


def test_what_goes_wrong_leaves_the_request_as_it_was() -> None:
    outer = RequestContext("outer", TRACE, SPAN, sampled=False)
    token = enter_request(outer)

    with pytest.raises(KeyError), tracing.led_by(None, "job_1", "job x"):
        raise KeyError

    assert current_request() is outer
    leave_request(token)


async def test_nothing_is_traced_without_an_endpoint(settings: Settings) -> None:
    async with tracing.open_tracing(settings):
        context = RequestContext("r", TRACE, SPAN, sampled=False)
        assert tracing.begin_request(context, None) is None
        assert tracing.part("x", "client") is tracing.part("y", "client")

    assert (context.trace_id, context.span_id) == (TRACE, SPAN)


def test_sdk_is_not_loaded_where_no_traces_are_sent() -> None:
    ours = "('opentelemetry.sdk', 'google.protobuf', 'core.otlp')"
    loaded = f"print([name for name in sys.modules if name.startswith({ours})])"

    told = subprocess.run(
        [sys.executable, "-c", f"import sys, gateway.main; {loaded}"], capture_output=True, text=True, check=True
    )

    assert told.stdout.strip() == "[]"


@pytest.mark.parametrize(("ratio", "sampled"), [(0.0, False), (1.0, True)])
async def test_ratio_decides_of_requests_that_bring_no_trace(ratio: float, sampled: bool) -> None:
    tracer = OtlpTracer("http://127.0.0.1:1", ratio)
    context = RequestContext("r", TRACE, SPAN, sampled=False)

    span = tracer.begin(context, None, "request", "server")

    assert (span is not None, context.sampled) == (sampled, sampled)
    if span is not None:
        span.end()
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    await tracer.close()


async def test_ratio_is_kept_as_opentelemetry_keeps_it() -> None:
    tracer, theirs = OtlpTracer("http://127.0.0.1:1", 0.25), TraceIdRatioBased(0.25)
    ids = [number * 0x1234_5678_9ABC_DEF0_1357 % 2**128 for number in range(1, 500)]

    ours = [tracer._samples(format_trace_id(each)) for each in ids]

    assert ours == [theirs.should_sample(None, each, "x").decision is Decision.RECORD_AND_SAMPLE for each in ids]
    assert 0 < sum(ours) < len(ids)
    await tracer.close()


@pytest.mark.parametrize("sampled", [True, False])
async def test_caller_decides_of_its_own_trace(sampled: bool) -> None:
    tracer = OtlpTracer("http://127.0.0.1:1", 0.0 if sampled else 1.0)
    context = RequestContext("r", TRACE, SPAN, sampled=False)

    span = tracer.begin(context, Traceparent(TRACE, SPAN, sampled), "request", "server")

    assert (span is not None, context.sampled, context.trace_id) == (sampled, sampled, TRACE)
    if span is not None:
        assert context.span_id != SPAN
        span.end()
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    await tracer.close()


@pytest.mark.parametrize(
    ("text", "name", "shown"),
    [
        (
            "SELECT a FROM things WHERE b = 'it''s' AND c = 17",
            "SELECT things",
            "SELECT a FROM things WHERE b = ? AND c = ?",
        ),
        ("INSERT INTO things (a) VALUES (?)", "INSERT things", "INSERT INTO things (a) VALUES (?)"),
        ('UPDATE "things" SET a=$1 WHERE b=$2', "UPDATE things", 'UPDATE "things" SET a=$1 WHERE b=$2'),
        ("DELETE FROM things WHERE id_1 = 1.5", "DELETE things", "DELETE FROM things WHERE id_1 = ?"),
        ("WITH some AS (SELECT 1) SELECT a FROM some", "SELECT some", "WITH some AS (SELECT ?) SELECT a FROM some"),
        ("BEGIN IMMEDIATE", "BEGIN", "BEGIN IMMEDIATE"),
    ],
)
def test_statement_is_shown_without_its_values(text: str, name: str, shown: str) -> None:
    described = _described(text, "sqlite")

    assert described.name == name
    assert described.values["db.query.text"] == shown


def test_ratio_is_between_none_and_all() -> None:
    with pytest.raises(ValueError, match="less than or equal to 1"):
        ServerSettings(trace_ratio=1.5)
