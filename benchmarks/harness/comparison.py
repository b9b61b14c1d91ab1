"""Contenders that do the same work, measured in turn, and ratios between them, which are refused where one did not do
the work: an answer that differs from what is expected, an error, a timeout, a process that is gone.
"""

import json
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx
import psutil

from benchmarks.harness.load import NoLoad, Request, Round, wrk
from benchmarks.harness.processes import pause, resume, used
from benchmarks.report import Row, at_least, not_measured

ROUNDS = 5
SECONDS = 4
WARM_SECONDS = 2
_PATIENCE = 30

Fault = Callable[[bytes], str]  # what is wrong with an answer's body; empty: nothing
Measure = Literal["requests/s", "CPU"]


def same_bytes(expected: bytes) -> Fault:
    def fault(body: bytes) -> str:
        return "" if body == expected else f"answers {body[:200]!r} and not {expected[:200]!r}"

    return fault


def same_json(expected: Any, reshaped: Callable[[Any], Any] = lambda value: value) -> Fault:
    """`reshaped` says the same in the words of who is expected, where the peer has names of its own."""

    def fault(body: bytes) -> str:
        try:
            found = reshaped(json.loads(body))
        except (ValueError, LookupError, TypeError) as error:
            return f"answers {body[:200]!r}: {error!r}"
        return "" if found == expected else f"answers {str(found)[:200]} and not {str(expected)[:200]}"

    return fault


@dataclass(frozen=True, slots=True)
class Asked:
    request: Request
    fault: Fault
    size: int  # of the body, in bytes


@dataclass(frozen=True, slots=True)
class Contender:
    """Someone who answers: a process with its children, which is stopped while others are asked, and a database's."""

    name: str
    address: str
    asked: Sequence[Asked]
    process: psutil.Process
    database: Sequence[psutil.Process] = ()


@dataclass(slots=True)
class Measured:
    """What the rounds of one contender have found; the medians are of rounds."""

    rounds: list[Round] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    database_seconds: list[float] = field(default_factory=list)
    rss_mb: float = 0
    faults: list[str] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        return statistics.median(each.requests / each.seconds for each in self.rounds)

    @property
    def cpu_ms(self) -> float:
        """For one request, the database's too."""
        return self._ms([sum(both) for both in zip(self.cpu_seconds, self.database_seconds, strict=True)])

    @property
    def database_ms(self) -> float:
        return self._ms(self.database_seconds)

    @property
    def p50_ms(self) -> float:
        return statistics.median(each.p50_ms for each in self.rounds)

    def _ms(self, seconds: Sequence[float]) -> float:
        return statistics.median(each / load.requests * 1000 for each, load in zip(seconds, self.rounds, strict=True))


Load = Callable[[str, Sequence[Request], int, float], Round]


class Comparison:
    """Of contenders that are asked the same thing. `measure()` once, then what it found."""

    def __init__(
        self,
        question: str,
        contenders: Sequence[Contender],
        *,
        connections: int,
        rounds: int = ROUNDS,
        load: Load = wrk,
    ) -> None:
        self._question = question
        self._contenders = contenders
        self._connections = connections
        self._rounds = rounds
        self._load = load
        self._found = {each.name: Measured() for each in contenders}

    def measure(self) -> None:
        for each in self._contenders:
            self._check(each)
        for number in range(self._rounds + 1):
            for each in self._contenders:
                with self._alone(each):
                    self._round(each, warm=number == 0)
            print(f"  {self._question}: round {number} of {self._rounds}", file=sys.stderr)
        for each in self._contenders:
            self._check(each)

    def rows(self) -> list[Row]:
        return [row for name, found in self._found.items() for row in self._rows(name, found)]

    def ratio(self, ours: str, theirs: str, by: Measure, required: float | None = None) -> Row:
        """How many times better ours is than theirs."""
        what = f"{self._question}: {ours} to {theirs}, {by}"
        failed = [f"{name} {fault}" for name in (ours, theirs) for fault in self._found[name].faults]
        if failed:
            return not_measured(what, f"refused: {failed[0]}", "" if required is None else f"at least {required:g}")
        mine, other = self._found[ours], self._found[theirs]
        value = mine.per_second / other.per_second if by == "requests/s" else other.cpu_ms / mine.cpu_ms
        return Row(what, value, "x") if required is None else at_least(what, value, "x", required)

    def _rows(self, name: str, found: Measured) -> list[Row]:
        what = f"{self._question}: {name}"
        if found.faults:
            return [not_measured(what, f"refused: it {found.faults[0]}")]
        return [
            Row(what, found.per_second, "requests/s"),
            Row(what, found.cpu_ms, "CPU ms a request"),
            *([Row(f"{what}, its database", found.database_ms, "CPU ms a request")] if found.database_ms else []),
            Row(what, found.p50_ms, "ms at the median"),
            Row(what, found.rss_mb, "MB"),
        ]

    def _check(self, contender: Contender) -> None:
        found = self._found[contender.name]
        with self._alone(contender), httpx.Client(base_url=contender.address, timeout=_PATIENCE) as client:
            for asked in contender.asked:
                if not found.faults:  # one is enough, and who hangs would hang each time
                    found.faults += _faults(client, asked)

    def _round(self, contender: Contender, *, warm: bool) -> None:
        found = self._found[contender.name]
        if found.faults:
            return  # it costs time, and says nothing
        requests = [asked.request for asked in contender.asked]
        try:
            before, beside = used(contender.process), used(*contender.database)
            load = self._load(contender.address, requests, self._connections, WARM_SECONDS if warm else SECONDS)
            after, beside_after = used(contender.process), used(*contender.database)
        except (NoLoad, psutil.NoSuchProcess) as error:
            found.faults.append(f"took no load: {error}")
            return
        found.faults += _faults_of(load, min(asked.size for asked in contender.asked), warm=warm)
        found.rss_mb = max(found.rss_mb, after.rss_mb)
        if not warm:
            found.rounds.append(load)
            found.cpu_seconds.append(after.cpu_seconds - before.cpu_seconds)
            found.database_seconds.append(beside_after.cpu_seconds - beside.cpu_seconds)

    @contextmanager
    def _alone(self, contender: Contender) -> Iterator[None]:
        others = [each.process for each in self._contenders if each is not contender]
        for process in others:
            pause(process)
        try:
            yield
        finally:
            for process in others:
                resume(process)


def _faults(client: httpx.Client, asked: Asked) -> list[str]:
    request = asked.request
    try:
        answer = client.request(request.method, request.path, content=request.body, headers=dict(request.headers))
    except httpx.HTTPError as error:
        return [f"does not answer {request.path}: {error!r}"]
    if answer.status_code != httpx.codes.OK:
        return [f"answers {request.path} with {answer.status_code}: {answer.text[:200]}"]
    fault = asked.fault(answer.content)
    return [f"{fault} to {request.path}"] if fault else []


def _faults_of(load: Round, size: int, *, warm: bool) -> list[str]:
    """Wrk counts a redirection as an answer, and reads no body: that whole ones came is seen from their bytes."""
    found = [f"had {count} errors of the kind {kind!r} under load" for kind, count in load.errors.items() if count]
    if not load.requests:
        return found if warm else [*found, "answered nothing under load"]  # the first answer may take a while
    if load.bytes < load.requests * size:
        return [*found, f"sent {load.bytes / load.requests:.0f} bytes an answer under load, not {size}"]
    return found
