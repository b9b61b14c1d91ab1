"""One fault under load: what it did to those who used the shop, and what must not have happened."""

import re
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from time import monotonic

from benchmarks.report import Row
from core.database import Database
from tests.faults import checker, load
from tests.faults.journal import Journal
from tests.faults.site import HUNG_SECONDS, Site, newest_event, until
from tests.fixtures.processes import Process

WARM_ORDERS = 15  # before the fault, and again after it
_LOAD = "tests.faults.load"


@dataclass(frozen=True, slots=True)
class Fault:
    """`act` does it, puts right what an operator or a supervisor would, and returns when that was done. `orderly`: no
    connection may break, as when it is we who stop a process.
    """

    name: str
    act: Callable[[Site], float]
    orderly: bool = False
    spared: int | None = None  # the place where every request must be answered, if with a refusal
    unharmed: Sequence[str] = ()  # kinds of requests of which none may be refused


@dataclass(frozen=True, slots=True)
class Outcome:
    """`faults`: sentences about what should not have been; none where all is well."""

    name: str
    faults: list[str]
    rows: list[Row] = field(default_factory=list)


@dataclass
class Running:
    """A load that runs."""

    process: Process
    result: Path

    def orders(self, more: int) -> None:
        """Returns when so many more orders were acknowledged."""
        count = self.process.stdout.count(load.PLACED) + more
        self.process.until(load.PLACED, HUNG_SECONDS, count=count)

    def finish(self) -> Journal:
        self.process.send(signal.SIGTERM)
        code = self.process.wait(3 * HUNG_SECONDS)
        assert code == 0, self.process.story
        return Journal.read(self.result)


def prove(site: Site, fault: Fault, addresses: Sequence[str] = (), core: int | None = None) -> Outcome:
    """Under load, at these addresses or at the site's own."""
    name = re.sub(r"\W+", "-", fault.name).strip("-").lower()
    cursor, before = site.ask(_beginning)
    result = site.folder / f"{name}.json"
    plan = load.Plan(name, list(addresses or [site.gateway.address]), site.key, cursor, str(result), core=core)
    if fault.orderly:  # nothing may fail, and while all workers start nobody answers
        plan = replace(plan, timeout_seconds=HUNG_SECONDS)
    process = site.start(sys.executable, "-m", _LOAD, plan.json())
    running = Running(process, result)
    running.orders(WARM_ORDERS)
    began = monotonic()
    back = fault.act(site)
    running.orders(WARM_ORDERS)
    journal = running.finish()
    shop = site.ask(lambda database: checker.shop_after(database, name, cursor, before))
    faults = [*checker.faults_of(journal, shop), *_after(site), *_noticed(journal, fault)]
    return Outcome(fault.name, faults, _rows(journal, began, back))


async def _beginning(database: Database) -> tuple[str, dict[str, int]]:
    return await newest_event(database), await checker.stock_of(database)


def _after(site: Site) -> Iterator[str]:
    """Whatever was to be done later is done, and nothing contradicts itself."""
    try:
        until(lambda: not site.ask(checker.unfinished_jobs), "jobs end")
    except TimeoutError:
        yield f"{len(site.ask(checker.unfinished_jobs))} jobs never ended"
    yield from site.ask(checker.lost_jobs)
    yield from site.ask(checker.broken_invariants)


def _noticed(journal: Journal, fault: Fault) -> Iterator[str]:
    spared = fault.spared
    count = journal.total("broken", spared) if spared is not None else 0
    if count:
        yield f"{count} requests failed where nothing was wrong: {journal.requests}"
    for kind in fault.unharmed:
        if refused := journal.requests.get(f"{kind} at 0 refused", 0):
            yield f"{refused} {kind} were refused, who had nothing to do with it"
    if not fault.orderly:
        return
    if broken := journal.total("broken"):
        yield f"{broken} requests were not answered: {journal.requests} {journal.breaks}"
    if streams := sum(each.broken for each in journal.followed):
        yield f"{streams} streams broke without a word"


def _rows(journal: Journal, began: float, back: float) -> list[Row]:
    orders = [order.at for order in journal.orders]
    streams = [each.times for each in journal.followed]
    silences = [longest_silence(orders, began), max(longest_silence(each, began) for each in streams)]
    recovered = max(first_after(each, back) for each in (orders, *streams))
    counts = [(f"requests {outcome}", journal.total(outcome)) for outcome in ("answered", "refused", "broken")]
    return [
        Row("recovery", recovered, "s"),
        Row("longest time without an order", silences[0], "s"),
        Row("longest silence of a stream", silences[1], "s"),
        *(Row(what, count) for what, count in counts),
        Row("acknowledged orders", len(orders)),
        Row("events on each stream", min(len(each) for each in streams)),
    ]


def longest_silence(times: Sequence[float], since: float) -> float:
    later = [since, *(each for each in sorted(times) if each >= since)]
    return max((after - before for before, after in pairwise(later)), default=0.0)


def first_after(times: Sequence[float], since: float) -> float:
    """Seconds until the next; raises ValueError where there was none."""
    return min(each for each in times if each >= since) - since
