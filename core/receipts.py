"""Where a request's time goes, as the code that spends it notes it; what becomes of that is `commerce.receipts`.

The parts are `queue` (before it is let in), `pool` (until a connection to the database is free), `auth`, `sql` (its
statements), `commit`, `cost` (GraphQL points, as a count), and `upstream:<name>`. They overlap: finding out who calls
is `auth`, and its statement is `sql` too.
"""

import time
from typing import Any, Literal

from sqlalchemy import Engine, ExceptionContext, event

from core.context import Notes, current_request

Fact = Literal["cache", "principal"]  # what the response cache did, by its Cache-Status; and who calls, by their id


def note(part: str, *, seconds: float = 0.0, count: int = 1) -> None:
    """Adds to the request that the running code serves; outside of any it does nothing. Parts are names that the
    program knows, and few.
    """
    notes = _notes()
    if notes is None:
        return
    spent = notes.parts.get(part)
    if spent is None:
        notes.parts[part] = [count, seconds]
    else:
        spent[0] += count
        spent[1] += seconds


def tell(fact: Fact, value: str) -> None:
    """As `note`; the last word counts."""
    notes = _notes()
    if notes is not None:
        notes.facts[fact] = value


def note_statements(engine: Engine) -> None:
    """Each statement of the engine's connections as `sql`, also one that fails."""

    @event.listens_for(engine, "before_cursor_execute")
    def begin(_connection: Any, _cursor: Any, _text: Any, _values: Any, context: Any, _many: Any) -> None:
        if context is not None:  # of a statement that is SQLAlchemy's own
            context.portico_began = time.perf_counter()

    @event.listens_for(engine, "after_cursor_execute")
    def end(_connection: Any, _cursor: Any, _text: Any, _values: Any, context: Any, _many: Any) -> None:
        note("sql", seconds=time.perf_counter() - context.portico_began)
        context.portico_began = None

    @event.listens_for(engine, "handle_error")
    def fail(failure: ExceptionContext) -> None:
        began = getattr(failure.execution_context, "portico_began", None)
        if began is not None:  # it is not over yet: what fails later is the reading of its rows
            note("sql", seconds=time.perf_counter() - began)


def _notes() -> Notes | None:
    context = current_request()
    if context is None:
        return None
    if context.notes is None:
        context.notes = Notes()
    return context.notes
