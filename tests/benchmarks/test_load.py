"""What wrk is told, and what it tells."""

import pytest

from benchmarks.harness.contenders import raw
from benchmarks.harness.load import NoLoad, Request, read, wrk
from tests.conftest import needs

OUTPUT = """Running 1s test @ http://127.0.0.1:8000
  Requests/sec:   2000.00
FOUND {"requests":2000,"seconds":1.000000,"bytes":400000,"p50_ms":0.500000,"p99_ms":2.000000,"errors":"""
ERRORS = '{"connect":0,"read":1,"write":0,"status":2,"timeout":3}'


def test_what_the_program_found_is_read() -> None:
    found = read(f"{OUTPUT}{ERRORS}}}")

    assert (found.requests, found.seconds, found.bytes, found.p50_ms, found.p99_ms) == (2000, 1, 400_000, 0.5, 2)
    assert found.errors == {"connect": 0, "read": 1, "write": 0, "status": 2, "timeout": 3}


def test_load_asks_all_requests_in_turn_with_their_bodies() -> None:
    needs("wrk")
    operation = Request("/graphql", "POST", '{"query": "{ a]]=]==] }"}', {"Content-Type": "application/json"})

    with raw({"/a": b"a" * 100, "/graphql": b"b" * 300}) as (_, address):
        good = wrk(address, [Request("/a?x=1"), operation], 2, 1)
        bad = wrk(address, [Request("/a"), Request("/none")], 2, 1)

    assert good.requests > 0
    assert set(good.errors.values()) == {0}
    assert good.bytes / good.requests >= 200
    assert bad.errors["status"] in (bad.requests // 2, bad.requests // 2 + 1)


def test_a_server_that_is_gone_takes_no_load() -> None:
    needs("wrk")

    with raw({"/a": b"a"}) as (process, address):
        process.kill()
        process.wait()

        with pytest.raises(NoLoad, match="Connection refused"):
            wrk(address, [Request("/a")], 1, 1)
