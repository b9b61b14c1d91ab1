"""Programs of before work on the schema of now: migrations add, and take nothing away while old code runs."""

from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Inspector, create_engine, inspect, text

from commerce.schema import migrations

RELEASED = "0011"  # the newest that a program may run on which knows nothing of those after it
_FOLDER = migrations()._folder


def upgraded(connection: Connection, revision: str) -> dict[str, dict[str, Any]]:
    """The columns of each table by name."""
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
    return columns(inspect(connection))


def columns(found: Inspector) -> dict[str, dict[str, Any]]:
    return {table: {each["name"]: each for each in found.get_columns(table)} for table in found.get_table_names()}


def broken(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]) -> list[str]:
    """What a program of before would stumble over."""
    faults = [f"{table} is gone" for table in before.keys() - after.keys()]
    for table in sorted(before.keys() & after.keys()):
        old, new = before[table], after[table]
        for name, column in new.items():
            known = old.get(name)
            must = not column["nullable"] and column["default"] is None
            if must and (known is None or known["nullable"] or known["default"] is not None):
                faults.append(f"{table}.{name} must be given")
            if known is not None and str(known["type"]) != str(column["type"]):
                faults.append(f"{table}.{name} is of another type")
        faults += [f"{table}.{name} is gone" for name in old.keys() - new.keys()]
    return faults


def test_nothing_that_an_older_program_uses_is_taken_away() -> None:
    with create_engine("sqlite://").begin() as connection:
        before = upgraded(connection, RELEASED)

        after = upgraded(connection, "head")

    assert len(before) > 30
    assert broken(before, after) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("ALTER TABLE categories DROP COLUMN name", "categories.name is gone"),
        ("ALTER TABLE categories RENAME TO kinds", "categories is gone"),
        ("ALTER TABLE categories RENAME COLUMN name TO title", "categories.name is gone"),
        ("ALTER TABLE categories ADD COLUMN must TEXT NOT NULL", "categories.must must be given"),
        ("ALTER TABLE categories ADD COLUMN may TEXT NOT NULL DEFAULT ''", None),
        ("ALTER TABLE categories ADD COLUMN may TEXT", None),
    ],
)
def test_change_that_would_break_it_is_found(change: str, fault: str | None) -> None:
    with create_engine("sqlite://").begin() as connection:
        connection.execute(text("CREATE TABLE categories (id INTEGER PRIMARY KEY, name TEXT)"))
        before = columns(inspect(connection))
        connection.execute(text(change))

        found = broken(before, columns(inspect(connection)))

    assert (fault in found) if fault else (found == [])
