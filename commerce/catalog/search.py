"""Full-text search behind one call: SQLite FTS5 or PostgreSQL `tsvector`, over the same folded words.

Every word of the query must begin a word of the product. How well that fits follows from the product alone, and not
from how often a word is in the whole catalogue, as BM25 has it: both databases agree, and a change of one product moves
no other to another page.
"""

from functools import reduce
from operator import add
from typing import Any

from sqlalchemy import ColumnElement, Select, case, column, func, literal, literal_column, table
from sqlalchemy.orm import InstrumentedAttribute

from commerce.catalog.models import DocumentRow, ProductRow
from commerce.catalog.text import search_words

MAX_WORDS = 16
_fts = table("product_fts", column("rowid"))


def matching(
    statement: Select[*tuple[Any, ...]], query: str, dialect: str
) -> tuple[Select[*tuple[Any, ...]], ColumnElement[int]]:
    """The statement narrowed to products that match, and how well they do, higher for better: 10 for each word that is
    in the title, 4 for one in the details, 1 for one in the description; and 1 where the title is just these words.
    """
    folded = search_words(query)
    words = folded.split()[:MAX_WORDS]
    statement = statement.join(DocumentRow, DocumentRow.product_id == ProductRow.id)
    if dialect == "sqlite":
        match = " ".join(f'"{word}"*' for word in words) or '""'
        statement = statement.join(_fts, _fts.c.rowid == DocumentRow.id)
        statement = statement.where(literal_column("product_fts").op("MATCH")(match))
    else:
        terms = func.to_tsquery("simple", " & ".join(f"{word}:*" for word in words))
        vector: ColumnElement[Any] = literal_column("product_documents.words")
        statement = statement.where(vector.op("@@")(terms))
    fits = [
        case(
            (_begins_a_word(word, DocumentRow.title, dialect), 10),
            (_begins_a_word(word, DocumentRow.details, dialect), 4),
            else_=1,
        )
        for word in words
    ]
    return statement, reduce(add, fits, case((DocumentRow.title == folded, 1), else_=0))


def _begins_a_word(beginning: str, of: InstrumentedAttribute[str], dialect: str) -> ColumnElement[bool]:
    """Of a text with one space between its words."""
    position = func.instr if dialect == "sqlite" else func.strpos
    return position(literal(" ") + of, f" {beginning}") > 0
