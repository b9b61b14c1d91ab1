"""What is wrong with the way that a database runs a statement: it reads all rows of a table, or sorts without bound.

The planner of PostgreSQL is kept from both where there is any other way. What it then still does has no index; what it
would choose for tables as small as a test's says nothing about large ones.
"""

import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, Protocol

import psycopg
from sqlalchemy import URL

# What is looked up by one of these is as much as one page shows, or belongs to one thing.
_BOUNDS = "id|product_id|order_id|user_id|handle|sku|rowid|room|endpoint_id|sha256|name"
_SQLITE_BOUNDED = re.compile(rf"^SEARCH .*\((?:\w+=\? AND )*(?:{_BOUNDS})=\?")
_SQLITE_WHOLE = re.compile(r"^SCAN (?!\(|CONSTANT|json_each)(\w+)(?: USING (?:COVERING )?INDEX \S+)?$")
_SQLITE_MADE = re.compile(r"^(?:MATERIALIZE|CO-ROUTINE) (\w+)$")  # a subquery, whose own steps are told below it
_POSTGRES_BOUNDED = re.compile(rf"\(+(?:\w+\.)?(?:{_BOUNDS})\)?(?:::\w+)? = ")
_TIMES = 1_000  # so many more rows than there are
_WAYS = ("seqscan", "sort", "incremental_sort", "hashjoin", "mergejoin")


class Explainer(Protocol):
    def faults(self, statement: str, values: int) -> list[str]: ...
    def walks_for_words(self, statement: str) -> bool:
        """Whether in a large shop it goes through the products in their order until some have the words, without having
        asked whether many do.
        """
        ...


class SqliteExplainer:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def faults(self, statement: str, values: int) -> list[str]:
        rows = self._connection.execute(f"EXPLAIN QUERY PLAN {statement}", [None] * values).fetchall()
        made = {found[1] for *_, step in rows if (found := _SQLITE_MADE.match(step))}
        steps: dict[int, list[str]] = defaultdict(list)
        for _, parent, _, step in rows:
            if not _SQLITE_MADE.match(step):
                steps[parent].append(step)
        limited = " LIMIT " in statement and "ORDER BY" in statement
        return [fault for together in steps.values() for fault in _sqlite_faults(together, made, limited=limited)]

    def walks_for_words(self, statement: str) -> bool:
        """Its index of words comes first: what is joined to it has no other way there."""
        steps = self._connection.execute(f"EXPLAIN QUERY PLAN {statement}", [None] * statement.count("?")).fetchall()
        places = [step for *_, step in steps if "product_fts" in step or "products_" in step or "products " in step]
        return "product_fts" not in places[0]


def _sqlite_faults(steps: list[str], made: set[str], *, limited: bool) -> Iterator[str]:
    """Of the steps of one select."""
    sorts = any(step.startswith("USE TEMP B-TREE") for step in steps)
    whole = [_SQLITE_WHOLE.match(step) for step in steps]
    for found in whole:
        # In the order of an index, or of the numbers that rows have, it goes as far as the page does.
        if found and found[1] not in made and (sorts or not limited):
            yield f"reads all {found[1]}"
    first = whole[0]
    bounded = (first and first[1] in made and limited) or _SQLITE_BOUNDED.match(steps[0])
    if sorts and not bounded:
        yield f"sorts: {steps[0]}"


class PostgresExplainer:
    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        for way in _WAYS:
            connection.execute(f"SET enable_{way} = off".encode())

    def faults(self, statement: str, values: int) -> list[str]:  # noqa: ARG002  a plan for any values
        row = self._connection.execute(f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {statement}".encode()).fetchone()
        assert row is not None
        return list(_postgres_faults(row[0][0]["Plan"], limited=False))

    def walks_for_words(self, statement: str) -> bool:
        with self._connection.transaction(force_rollback=True):
            for way in _WAYS:
                self._connection.execute(f"SET LOCAL enable_{way} = on".encode())
            self._connection.execute("UPDATE pg_class SET reltuples = reltuples * %s", [_TIMES])
            row = self._connection.execute(f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {statement}".encode()).fetchone()
        assert row is not None
        return _walks(row[0][0]["Plan"])


def _postgres_faults(plan: dict[str, Any], *, limited: bool) -> Iterator[str]:
    kind = plan["Node Type"]
    below: list[dict[str, Any]] = plan.get("Plans", [])
    if kind == "Seq Scan" or (kind.startswith("Index") and "Index Cond" not in plan and not limited):
        yield f"reads all {plan['Relation Name']}"
    if kind in ("Sort", "Incremental Sort") and not _is_bounded(below[0]):
        yield f"sorts: {_outermost(below[0])['Node Type']}"
    for each in below:
        # What an aggregate or a sort reads, it reads to the end.
        yield from _postgres_faults(each, limited=kind == "Limit" or (limited and kind not in ("Aggregate", "Sort")))


def _walks(plan: dict[str, Any]) -> bool:
    below: list[dict[str, Any]] = plan.get("Plans", [])
    if plan["Node Type"] == "Limit" and not any(each["Parent Relationship"] == "InitPlan" for each in below):
        scan = _outermost(below[0])
        if scan.get("Relation Name") != "product_documents" and " @@ " in str(below[0]) and not _sorts(below[0]):
            return True
    return any(map(_walks, below))


def _sorts(plan: dict[str, Any]) -> bool:
    """Before it gives its first row."""
    return plan["Node Type"] in ("Sort", "Aggregate") or any(map(_sorts, plan.get("Plans", [])))


def _is_bounded(plan: dict[str, Any]) -> bool:
    """By what is looked for, or because it is a page already."""
    scan = _outermost(plan)
    return scan["Node Type"] in ("Result", "CTE Scan", "Limit") or bool(
        _POSTGRES_BOUNDED.search(scan.get("Index Cond", ""))
    )


def _outermost(plan: dict[str, Any]) -> dict[str, Any]:
    while plan.get("Plans") and plan["Node Type"] != "Limit":
        plan = plan["Plans"][0]
    return plan


@contextmanager
def explainer(url: URL) -> Iterator[Explainer]:
    if url.get_backend_name() == "sqlite":
        with closing(sqlite3.connect(url.database or "")) as opened:
            yield SqliteExplainer(opened)
    else:
        plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(plain, autocommit=True) as connection:
            yield PostgresExplainer(connection)
