"""JSON written by the database: the same bytes on SQLite and PostgreSQL, and the same as pydantic writes.

Texts are put together with `||`, and not by the databases' own functions for JSON objects, because PostgreSQL's put
spaces between, and SQLite's read nested JSON again. Whatever is NULL must be said: NULL in one place is NULL in all.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Text, case, cast, func, literal_column, type_coerce
from sqlalchemy.dialects.postgresql import aggregate_order_by

Piece = str | ColumnElement[str]  # a constant, or what a row has there


def constant(text: str) -> ColumnElement[str]:
    return literal_column("'" + text.replace("'", "''") + "'", Text())


def joined(pieces: Sequence[Piece]) -> ColumnElement[str]:
    """As a balanced tree: neither the databases' parsers nor SQLAlchemy's compiler go a thousand deep."""
    found: list[ColumnElement[str]] = []
    said = ""
    for piece in pieces:
        if isinstance(piece, str):
            said += piece
            continue
        found += [constant(said), piece] if said else [piece]
        said = ""
    if said:
        found.append(constant(said))
    return _tree(found)


def _tree(texts: Sequence[ColumnElement[str]]) -> ColumnElement[str]:
    if len(texts) == 1:
        return texts[0]
    middle = len(texts) // 2
    # Not `concat`, which takes the parentheses away again.
    return _tree(texts[:middle]).op("||", return_type=Text())(_tree(texts[middle:]))


def quoted(text: ColumnElement[Any], dialect: str) -> ColumnElement[str]:
    """A JSON string. NULL is `null` on SQLite, and NULL on PostgreSQL."""
    return func.json_quote(text, type_=Text()) if dialect == "sqlite" else cast(func.to_json(text), Text)


def as_text(plain: ColumnElement[Any], dialect: str) -> ColumnElement[str]:
    """A number, or JSON that is stored, as it is."""
    return type_coerce(plain, Text()) if dialect == "sqlite" else cast(plain, Text)


def or_null(json: ColumnElement[str]) -> ColumnElement[str]:
    return func.coalesce(json, constant("null"))


def choice(holds: ColumnElement[bool], then: ColumnElement[str], otherwise: str) -> ColumnElement[str]:
    """`otherwise` also where it is unknown whether the condition holds."""
    return case((holds, then), else_=constant(otherwise))


def moment(at: ColumnElement[Any], dialect: str, zone: str = "Z") -> ColumnElement[str]:
    """RFC 3339 without quotes, with six digits of fraction where there are some, and `zone` for UTC."""
    if dialect == "sqlite":
        written = func.replace(at, constant(" "), constant("T"))
    else:
        written = func.to_char(func.timezone(constant("UTC"), at), constant('YYYY-MM-DD"T"HH24:MI:SS.US'))
    return joined([func.replace(written, constant(".000000"), constant(""), type_=Text()), zone])


def in_order(item: ColumnElement[str], order: Sequence[ColumnElement[Any]]) -> ColumnElement[str]:
    """PostgreSQL's aggregate of items, with commas between."""
    return func.string_agg(item, aggregate_order_by(constant(","), *order), type_=Text())
