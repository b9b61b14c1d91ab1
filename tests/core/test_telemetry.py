import re
import subprocess
import sys
import threading

import pytest
from prometheus_client import REGISTRY

from core.telemetry import REQUESTS, new_ids, parse_traceparent

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"


@pytest.mark.parametrize(
    ("flags", "sampled"),
    [("00", False), ("01", True), ("02", False), ("03", True), ("fe", False), ("ff", True)],
)
def test_trace_id_and_sampled_flag_are_read(flags: str, sampled: bool) -> None:
    assert parse_traceparent(f"00-{TRACE}-{SPAN}-{flags}".encode()) == (TRACE, SPAN, sampled)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "00",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"0-{TRACE}-{SPAN}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN.upper()}-01",
        f"00-{TRACE}-{SPAN}-0A",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE}0-{SPAN}-01",
        f"00-{TRACE}-{SPAN[:-1]}-01",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-001",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01-extra",
        f"00_{TRACE}_{SPAN}_01",
        f" 00-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01\n",
        f"00-{TRACE[:-1]}g-{SPAN}-01",
    ],
)
def test_anything_else_is_no_trace_context(header: str | None) -> None:
    assert parse_traceparent(header.encode() if header is not None else None) is None


def test_new_ids_are_ones_that_the_specification_takes() -> None:
    request, trace, span = new_ids()

    assert re.fullmatch("[0-9a-f]{24}", request)
    assert re.fullmatch("[0-9a-f]{32}", trace)
    assert re.fullmatch("[0-9a-f]{16}", span)
    assert parse_traceparent(f"00-{trace}-{span}-01".encode()) == (trace, span, True)


def test_new_ids_have_nothing_in_common() -> None:
    made = [each for _ in range(100) for each in new_ids()]

    assert len({each[:16] for each in made}) == 300


def measured(suffix: str, route: str, **more: str) -> float | None:
    labels = {"audience": "public", "method": "GET", "route": route, "status": "200", **more}
    return REGISTRY.get_sample_value(f"portico_http_request_duration_seconds_{suffix}", labels)


def test_request_is_in_the_buckets_that_it_was_quick_enough_for() -> None:
    for seconds in (0.0005, 0.001, 0.002, 0.25, 11.0):
        REQUESTS.observe(("public", "GET", "/buckets", 200), seconds)

    assert measured("count", "/buckets") == 5
    assert measured("sum", "/buckets") == pytest.approx(11.2535)
    counted = {bound: measured("bucket", "/buckets", le=bound) for bound in ("0.001", "0.0025", "0.25", "10.0", "+Inf")}
    assert counted == {"0.001": 2, "0.0025": 3, "0.25": 4, "10.0": 4, "+Inf": 5}


def test_what_was_read_once_is_not_counted_again() -> None:
    REQUESTS.observe(("public", "GET", "/again", 200), 1.0)
    first = measured("count", "/again")
    REQUESTS.observe(("public", "GET", "/again", 200), 1.0)

    assert (first, measured("count", "/again"), measured("count", "/again")) == (1, 2, 2)
    assert measured("sum", "/again") == 2.0


def test_nothing_is_lost_that_is_counted_while_others_read() -> None:
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            REQUESTS.fold()

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for _ in range(20_000):
        REQUESTS.observe(("public", "GET", "/both", 200), 0.5)
    done.set()
    for reader in readers:
        reader.join()

    assert (measured("count", "/both"), measured("sum", "/both")) == (20_000, 10_000.0)


_FORK = """
import os
from core.telemetry import new_ids

new_ids()  # some more are ready
reader, writer = os.pipe()
if os.fork() == 0:
    os.write(writer, "".join(new_ids()).encode())
    os._exit(0)
os.wait()
print(os.read(reader, 200).decode(), "".join(new_ids()))
"""


def test_forked_process_makes_ids_of_its_own() -> None:
    done = subprocess.run([sys.executable, "-c", _FORK], stdout=subprocess.PIPE, text=True, check=True)

    child, parent = done.stdout.split()
    assert len(child) == len(parent) == 72
    assert child != parent
