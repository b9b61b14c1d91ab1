"""Panels of what the database knows, and of this process."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from commerce.flags.entities import Flag
from core.health import Check
from core.jobs.entities import Job
from internal_api.dashboard.books import Books
from internal_api.dashboard.view import NO_DATA, Cell, Panel, Tile, age, milliseconds, moment, number, table, text
from internal_api.events import Reader


@dataclass(frozen=True, slots=True)
class State:
    """Of this process. `checks` None: they took too long."""

    now: datetime
    checks: Sequence[Check] | None
    draining: bool
    process: int
    uptime_seconds: float
    mode: str
    web_processes: int
    off: Sequence[Flag] | None

    @property
    def ready(self) -> bool:
        return not self.draining and self.checks is not None and all(check.ok for check in self.checks)

    @property
    def word(self) -> Cell:
        if self.draining:
            return Cell("draining", "bad")
        return Cell("ready", "good") if self.ready else Cell("not ready", "bad")


def figures(state: State, books: Books | None) -> Sequence[Tile]:
    dead = sum(books.dead.values()) if books is not None else None
    return Tile("State", state.word), Tile("Dead jobs", number(dead, bad=True))


def state_panel(state: State, books: Books | None) -> Panel:
    checks = (
        (
            Cell(check.name),
            Cell("ok", "good") if check.ok else Cell("away", "bad"),
            milliseconds(check.milliseconds / 1000),
        )
        for check in state.checks or ()
    )
    away = ((Cell(check.name, "bad"), Cell(check.detail)) for check in state.checks or () if not check.ok)
    facts = (
        (Cell("Process that answers"), text(state.process)),
        (Cell("Its uptime"), age(state.uptime_seconds)),
        (Cell("Mode"), text(state.mode)),
        (Cell("Web processes on this host"), number(state.web_processes)),
        (Cell("Workers that run jobs"), number(books.workers if books is not None else None)),
    )
    columns = ("Dependency", "State", "Took")
    return Panel(
        "state",
        "State",
        (
            table("What this process depends on", columns, checks, empty="no answer in time"),
            table("Away", (), away, empty="nothing" if state.checks is not None else NO_DATA, numeric=False),
            table("Processes", (), facts),
        ),
    )


def event_panel(books: Books | None) -> Panel:
    if books is None:
        return Panel("events", "Event log", (table("Who is behind", (), ()),))
    rows = (_reader("This process", books.lag.tailer), _reader("Webhooks", books.lag.webhooks))
    newest = ((Cell("Newest event"), number(books.lag.newest)),)
    return Panel(
        "events",
        "Event log",
        (
            table("Who is behind, and by how much", ("Reader", "Events", "Oldest"), rows),
            table("The log", (), newest),
        ),
    )


def _reader(name: str, reader: Reader) -> tuple[Cell, Cell, Cell]:
    if reader.position is None:
        return Cell(name), text(None), text(None)
    return Cell(name), number(reader.events), age(reader.seconds)


def job_panel(books: Books | None) -> Panel:
    columns = ("Queue", "Queued", "Running", "Dead", "Oldest waits")
    if books is None:
        return Panel("jobs", "Jobs", (table("By queue", columns, ()),))
    depths = {depth.queue: depth for depth in books.depths}
    rows = (
        (
            Cell(queue),
            number(depths[queue].queued if queue in depths else 0),
            number(depths[queue].running if queue in depths else 0),
            number(books.dead.get(queue, 0), bad=True),
            age(depths[queue].oldest_seconds if queue in depths else 0.0),
        )
        for queue in sorted({*depths, *books.dead})
    )
    dead = (_dead_job(job) for job in books.dead_jobs)
    return Panel(
        "jobs",
        "Jobs",
        (
            table("By queue", columns, rows, empty="no job waits or runs, none is dead"),
            table("Dead, the newest first", ("Job", "Name", "When"), dead, empty="none is dead", numeric=False),
        ),
    )


def _dead_job(job: Job) -> tuple[Cell, Cell, Cell]:
    return Cell(job.id, link=f"dashboard/jobs/{job.id}"), Cell(job.name), moment(job.finished_at)


def webhook_panel(books: Books | None, now: datetime) -> Panel:
    if books is None:
        return Panel("webhooks", "Webhooks", (table("Deliveries and endpoints", (), ()),))
    oldest = books.backlog.oldest_at
    rows = (
        (Cell("Deliveries that wait"), number(books.backlog.open)),
        (Cell("The oldest of them"), age((now - oldest).total_seconds() if oldest is not None else 0.0)),
        (Cell("Endpoints enabled"), number(books.endpoints.get("enabled", 0))),
        (Cell("Disabled by their owners"), number(books.endpoints.get("disabled", 0))),
        (Cell("Given up as broken"), number(books.endpoints.get("broken", 0), bad=True)),
    )
    stopped = ((Cell(each.id), Cell(each.state), text(each.reason)) for each in books.stopped)
    return Panel(
        "webhooks",
        "Webhooks",
        (
            table("Deliveries and endpoints", (), rows),
            table("Sent nothing now", ("Endpoint", "State", "Why"), stopped, empty="none", numeric=False),
        ),
    )


def flag_panel(state: State) -> Panel:
    rows = (
        (Cell(each.target, "bad"), text(each.reason), _until(each.expires_at), Cell(each.actor))
        for each in state.off or ()
    )
    empty = "nothing is off" if state.off is not None else NO_DATA
    columns = ("What", "Why", "Until", "Who")
    tables = (table("Mounts and routes", columns, rows, empty=empty, numeric=False),)
    return Panel("flags", "Switched off", tables, wide=True)


def _until(at: datetime | None) -> Cell:
    return moment(at) if at is not None else Cell("switched on again")


def invariant_panel(books: Books | None) -> Panel:
    check = books.invariants if books is not None else None
    known = check is not None and check.ok is not None
    word = Cell("held", "good") if known and check and check.ok else Cell("broken", "bad") if known else text(None)
    summary = ((Cell("Last check"), moment(check.checked_at if check else None)), (Cell("Result"), word))
    findings = check.invariants if check is not None else []
    broken = (
        (Cell(each.name, "bad"), number(each.violations), Cell(each.meaning)) for each in findings if each.violations
    )
    return Panel(
        "invariants",
        "Invariants",
        (
            table("The books of the shop", (), summary, numeric=False),
            table("Broken", ("Which", "Times", "What must hold"), broken, empty="none" if known else NO_DATA),
        ),
    )


def change_panel(books: Books | None) -> Panel:
    rows = (
        (moment(each.at), Cell(each.actor), Cell(each.action), Cell(each.subject), Cell(each.request_id))
        for each in (books.changes if books is not None else ())
    )
    columns = ("When", "Who", "What", "Of", "Request")
    empty = "none yet" if books is not None else NO_DATA
    tables = (table("From the audit log, the newest first", columns, rows, empty=empty, numeric=False),)
    return Panel("changes", "Last changes", tables, wide=True)
