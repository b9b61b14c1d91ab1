"""Ratios are of equal work: whatever else was seen, none is printed."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace

import psutil
import pytest

from benchmarks.harness.comparison import Asked, Comparison, Contender, same_bytes, same_json
from benchmarks.harness.contenders import Started, raw
from benchmarks.harness.load import Request, Round

BODY = b'{"title": "Jacket"}'
ASKED = Asked(Request("/product"), same_bytes(BODY), len(BODY))
NO_ERRORS = {"connect": 0, "read": 0, "write": 0, "status": 0, "timeout": 0}
ROUND = Round(requests=100, seconds=2, bytes=100 * 200, p50_ms=3, p99_ms=9, errors=NO_ERRORS)


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Started, Started]]:
    """Two that answer the same."""
    with ExitStack() as stack:
        yield stack.enter_context(raw({"/product": BODY})), stack.enter_context(raw({"/product": BODY}))


def compared(
    servers: tuple[Started, Started],
    *,
    ours: Asked = ASKED,
    load: Callable[[str], Round] = lambda _address: ROUND,
    rounds: int = 1,
) -> Comparison:
    """The first of them asked `ours`, the second what is right."""
    (first, first_address), (second, second_address) = servers
    contenders = [
        Contender("Portico", first_address, [ours], first),
        Contender("raw ASGI", second_address, [ASKED], second),
    ]

    def loaded(address: str, requests: Sequence[Request], connections: int, seconds: float) -> Round:  # noqa: ARG001
        return load(address)

    comparison = Comparison("one product", contenders, connections=4, rounds=rounds, load=loaded)
    comparison.measure()
    return comparison


def why(comparison: Comparison) -> str:
    """Of the refusal, which has no number."""
    row = comparison.ratio("Portico", "raw ASGI", "requests/s", 0.6)
    assert (row.value, row.reached, row.required) == (None, None, "at least 0.6")
    return row.why


def test_ratio_of_requests_is_of_the_medians_of_rounds(servers: tuple[Started, Started]) -> None:
    counts = {servers[0][1]: iter([1, 90, 30, 60]), servers[1][1]: iter([1, 100, 120, 500])}  # the first is to warm up

    comparison = compared(servers, load=lambda address: replace(ROUND, requests=next(counts[address])), rounds=3)

    row = comparison.ratio("Portico", "raw ASGI", "requests/s", 0.6)
    assert (row.what, row.value, row.unit) == ("one product: Portico to raw ASGI, requests/s", 0.5, "x")
    assert (row.required, row.reached) == ("at least 0.6", False)
    assert [(row.what, row.value, row.unit) for row in comparison.rows() if row.unit == "requests/s"] == [
        ("one product: Portico", 30, "requests/s"),
        ("one product: raw ASGI", 60, "requests/s"),
    ]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (
            replace(ASKED, fault=same_bytes(b"{}")),
            "Portico answers b'{\"title\": \"Jacket\"}' and not b'{}' to /product",
        ),
        (replace(ASKED, fault=same_json({"title": "Coat"})), "and not {'title': 'Coat'} to /product"),
        (replace(ASKED, fault=same_json("Coat", lambda answer: answer["data"])), "KeyError('data')"),
        (replace(ASKED, request=Request("/other")), "Portico answers /other with 500"),
        (replace(ASKED, size=201), "Portico sent 200 bytes an answer under load, not 201"),
    ],
)
def test_another_answer_than_expected_refuses_the_ratio(
    servers: tuple[Started, Started], asked: Asked, told: str
) -> None:
    comparison = compared(servers, ours=asked)

    assert told in why(comparison)
    assert [row.value for row in comparison.rows() if row.what == "one product: Portico"] == [None]


@pytest.mark.parametrize("kind", NO_ERRORS)
@pytest.mark.parametrize("failing", [0, 1])
def test_one_error_of_any_kind_in_any_round_refuses_the_ratio(
    servers: tuple[Started, Started], kind: str, failing: int
) -> None:
    left = iter([ROUND, replace(ROUND, errors=NO_ERRORS | {kind: 1}), ROUND])

    comparison = compared(
        servers, load=lambda address: next(left) if address == servers[failing][1] else ROUND, rounds=2
    )

    name = ("Portico", "raw ASGI")[failing]
    assert why(comparison) == f"refused: {name} had 1 errors of the kind '{kind}' under load"


def test_no_answer_at_all_refuses_the_ratio(servers: tuple[Started, Started]) -> None:
    nothing = replace(ROUND, requests=0, bytes=0)

    comparison = compared(servers, load=lambda address: nothing if address == servers[0][1] else ROUND)

    assert why(comparison) == "refused: Portico answered nothing under load"


def test_answers_are_checked_after_the_load_too(servers: tuple[Started, Started]) -> None:
    verdicts = iter(["", "is stale"])

    comparison = compared(servers, ours=replace(ASKED, fault=lambda _body: next(verdicts)))

    assert why(comparison) == "refused: Portico is stale to /product"


def test_a_server_that_dies_refuses_the_ratio(servers: tuple[Started, Started]) -> None:
    with raw({"/product": BODY}) as (process, address):

        def load(asked: str) -> Round:
            if asked == address:
                process.kill()
                process.wait()
            return ROUND

        comparison = compared(((process, address), servers[1]), load=load)

    assert why(comparison).startswith("refused: Portico took no load: ")


def test_who_is_not_asked_is_stopped_meanwhile_and_goes_on_after(servers: tuple[Started, Started]) -> None:
    (first, first_address), (second, second_address) = servers
    stopped: dict[str, list[bool]] = {}

    def load(address: str) -> Round:
        stopped[address] = [each.status() == psutil.STATUS_STOPPED for each in (first, second)]
        return ROUND

    compared(servers, load=load)

    assert stopped == {first_address: [False, True], second_address: [True, False]}
    assert psutil.STATUS_STOPPED not in (first.status(), second.status())


def test_processor_time_of_a_database_is_counted_with_its_servers(servers: tuple[Started, Started]) -> None:
    ours = Contender("Portico", servers[0][1], [ASKED], servers[0][0], [servers[1][0]])
    comparison = Comparison("one product", [ours], connections=1, rounds=1, load=lambda *_: ROUND)
    comparison.measure()
    found = comparison._found["Portico"]

    found.cpu_seconds, found.database_seconds = [0.2], [0.3]

    rows = [(row.what, row.value) for row in comparison.rows() if row.unit == "CPU ms a request"]
    assert rows == [("one product: Portico", 5), ("one product: Portico, its database", 3)]
