"""Full-text search behind one call: SQLite FTS5 or PostgreSQL `tsvector`, over the same folded words.

Every word of the query must begin a word of the product; a hit in the title weighs most.
"""

from typing import Any

from sqlalchemy import ColumnElement, Float, Select, column, func, literal_column, table

from commerce.catalog.models import DocumentRow, ProductRow
from commerce.catalog.text import search_words

MAX_WORDS = 16
_fts = table("product_fts", column("rowid"))


def matching(
    statement: Select[*tuple[Any, ...]], query: str, dialect: str
) -> tuple[Select[*tuple[Any, ...]], ColumnElement[float]]:
    """The statement narrowed to products that match, and its relevance, higher for better."""
    words = search_words(query).split()[:MAX_WORDS]
    statement = statement.join(DocumentRow, DocumentRow.product_id == ProductRow.id)
    if dialect == "sqlite":
        match = " ".join(f'"{word}"*' for word in words) or '""'
        relevance: ColumnElement[float] = literal_column("-bm25(product_fts, 10.0, 4.0, 1.0)", Float)
        statement = statement.join(_fts, _fts.c.rowid == DocumentRow.id)
        return statement.where(literal_column("product_fts").op("MATCH")(match)), relevance
    terms = func.to_tsquery("simple", " & ".join(f"{word}:*" for word in words))
    vector: ColumnElement[Any] = literal_column("product_documents.words")
    return statement.where(vector.op("@@")(terms)), func.ts_rank(vector, terms)
