"""What is wrong with the way that a database runs a statement: it reads all rows of a table, or sorts without bound.

The planner of PostgreSQL is kept from both where there is any other way. What it then still does has no index; what it
would choose for tables as small as a test's says nothing about large ones.
"""

import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import psycopg
from sqlalchemy import URL

# What is looked up by one of these is as much as one page shows, or belongs to one thing.
BOUNDS = ("id", "product_id", "order_id", "user_id", "handle", "sku", "rowid", "room_id", "room", "endpoint_id", "slug")
_BY = "|".join(BOUNDS)
_SQLITE_BOUNDED = re.compile(rf"^SEARCH .*\((?:\w+=\? AND )*(?:{_BY})=\?")
_SQLITE_WHOLE = re.compile(r"^SCAN (?!\(|CONSTANT|json_each|product_fts)(\S+)(?: USING (?:COVERING )?INDEX \S+)?$")
_SQLITE_SORT = re.compile(r"^USE TEMP B-TREE FOR (?:RIGHT PART OF |LAST .* )?(.*)$")
_POSTGRES_BOUNDED = re.compile(rf"\(+(?:\w+\.)?(?:{_BY})\)?(?:::\w+)? = ")
_WAYS = ("seqscan", "sort", "incremental_sort", "hashjoin", "mergejoin", "hashagg", "bitmapscan")


def faults_on_sqlite(path: str, statement: str, arguments: int) -> list[str]:
    with sqlite3.connect(path) as connection:
        rows = connection.execute(f"EXPLAIN QUERY PLAN {statement}", [None] * arguments).fetchall()
    connection.close()
    steps: dict[int, list[str]] = defaultdict(list)
    for _, parent, _, step in rows:
        steps[parent].append(step)
    return [fault for together in steps.values() for fault in _sqlite_faults(together, " LIMIT " in statement)]


def _sqlite_faults(steps: list[str], limited: bool) -> Iterator[str]:
    for step in steps:
        whole = _SQLITE_WHOLE.match(step)
        if whole and not (limited and " USING " in step):
            yield f"reads all {whole[1]}"
        sort = _SQLITE_SORT.match(step)
        if sort and not _SQLITE_BOUNDED.match(steps[0]):
            yield f"sorts for {sort[1]}: {steps[0]}"


def faults_on_postgresql(url: URL, statement: str) -> list[str]:
    with psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False)) as connection:
        for way in _WAYS:
            connection.execute(f"SET enable_{way} = off".encode())
        rows = connection.execute(f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {statement}".encode()).fetchone()
    assert rows is not None
    return list(_postgres_faults(rows[0][0]["Plan"], limited=False))


def _postgres_faults(plan: dict[str, Any], *, limited: bool) -> Iterator[str]:
    kind = plan["Node Type"]
    below: list[dict[str, Any]] = plan.get("Plans", [])
    if kind == "Seq Scan":
        yield f"reads all {plan['Relation Name']}"
    if kind.startswith("Index") and "Index Cond" not in plan and not limited:
        yield f"reads all {plan['Relation Name']}"
    if kind in ("Sort", "Incremental Sort") and not _is_bounded(below[0]):
        yield f"sorts for {', '.join(plan['Sort Key'])}"
    for each in below:
        # What an aggregate or a sort reads, it reads to the end.
        yield from _postgres_faults(each, limited=kind == "Limit" or (limited and kind not in ("Aggregate", "Sort")))


def _is_bounded(plan: dict[str, Any]) -> bool:
    """By what its outermost scan looks for."""
    while plan.get("Plans"):
        plan = plan["Plans"][0]
    return _POSTGRES_BOUNDED.search(plan.get("Index Cond", "")) is not None or plan["Node Type"] == "Result"
