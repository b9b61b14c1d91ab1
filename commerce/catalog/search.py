"""Full-text search behind one call: SQLite FTS5 or PostgreSQL `tsvector`, over the same folded words.

Every word of the query must begin a word of the product. How well that fits follows from the product alone, and not
from how often a word is in the whole catalogue, as BM25 has it: both databases agree, and a change of one product moves
no other to another page.
"""

from typing import Any

from sqlalchemy import ColumnElement, Select, case, column, func, literal_column, select, table

from commerce.catalog.models import DocumentRow, ProductRow
from commerce.catalog.text import search_words

MAX_WORDS = 16
_fts = table("product_fts", column("rowid"))
_FTS: ColumnElement[Any] = literal_column("product_fts")


def matching(
    statement: Select[*tuple[Any, ...]], query: str, dialect: str
) -> tuple[Select[*tuple[Any, ...]], ColumnElement[int]]:
    """The statement narrowed to products that match, and how well they do: 4 where the title is just these words, 3
    where all are in the title, 2 where all are there or in the details, 1 where it takes the description.
    """
    folded = search_words(query)
    words = folded.split()[:MAX_WORDS]
    statement = statement.join(DocumentRow, DocumentRow.product_id == ProductRow.id)
    if dialect == "sqlite":
        statement = statement.join(_fts, _fts.c.rowid == DocumentRow.id)
        statement = statement.where(_FTS.op("MATCH")(_fts5_query(words)))
        in_title, in_details = (_fts5_hit(columns, words) for columns in ("title", "title details"))
    else:
        statement = statement.where(_tsvector_hit("", words))
        in_title, in_details = (_tsvector_hit(weights, words) for weights in ("A", "AB"))
    fit = case((DocumentRow.title == folded, 4), (in_title, 3), (in_details, 2), else_=1)
    return statement, fit


def _fts5_query(words: list[str]) -> str:
    return " ".join(f'"{word}"*' for word in words) or '""'


def _fts5_hit(columns: str, words: list[str]) -> ColumnElement[bool]:
    query = f"{{{columns}}} : ({_fts5_query(words)})"
    return DocumentRow.id.in_(select(_fts.c.rowid).where(_FTS.op("MATCH")(query)))


def _tsvector_hit(weights: str, words: list[str]) -> ColumnElement[bool]:
    """`weights` are those of the columns, as the migration gives them; all without one."""
    terms = func.to_tsquery("simple", " & ".join(f"{word}:*{weights}" for word in words))
    vector: ColumnElement[Any] = literal_column("product_documents.words")
    return vector.op("@@")(terms)
