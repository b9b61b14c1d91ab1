"""Full-text search behind one call: SQLite FTS5 or PostgreSQL `tsvector`, over the same folded words.

Every word of the query must begin a word of the product. How well that fits follows from the product alone, and not
from how often a word is in the whole catalogue, as BM25 has it: both databases agree, and a change of one product moves
no other to another page.
"""

from functools import reduce
from operator import add
from typing import Any

from sqlalchemy import ColumnElement, Select, String, case, column, func, literal_column, table
from sqlalchemy.orm import InstrumentedAttribute

from commerce.catalog.models import DocumentRow, ProductRow
from commerce.catalog.text import search_words
from core.direct import Bind, TellingText

MAX_WORDS = 16
_fts = table("product_fts", column("rowid"))


def words_of(query: str) -> list[str]:
    """Those that are looked for; what comes after the sixteenth is not."""
    return search_words(query).split()[:MAX_WORDS]


def search_values(query: str, dialect: str) -> dict[str, str]:
    """What `matching` compares with."""
    words = words_of(query)
    if dialect == "sqlite":
        terms = " ".join(f'"{word}"*' for word in words) or '""'
    else:
        terms = " & ".join(f"{word}:*" for word in words)
    beginnings = {f"word_{place}": f" {word}" for place, word in enumerate(words)}
    return {"terms": terms, "folded": search_words(query), **beginnings}


def matching(
    statement: Select[*tuple[Any, ...]], words: int, bind: Bind, dialect: str
) -> tuple[Select[*tuple[Any, ...]], ColumnElement[int]]:
    """The statement narrowed to products that match, and how well they do, higher for better: 10 for each word that is
    in the title, 4 for one in the details, 1 for one in the description; and 1 where the title is just these words.
    """
    text = String()
    statement = statement.join(DocumentRow, DocumentRow.product_id == ProductRow.id)
    if dialect == "sqlite":
        statement = statement.join(_fts, _fts.c.rowid == DocumentRow.id)
        statement = statement.where(literal_column("product_fts").op("MATCH")(bind("terms", text)))
    else:
        statement = statement.where(has_words(bind))
    beginnings = [bind(f"word_{place}", text) for place in range(words)]
    fits = [
        case(
            (_begins_a_word(beginning, DocumentRow.title, dialect), 10),
            (_begins_a_word(beginning, DocumentRow.details, dialect), 4),
            else_=1,
        )
        for beginning in beginnings
    ]
    return statement, reduce(add, fits, case((DocumentRow.title == bind("folded", text), 1), else_=0))


def has_words(bind: Bind) -> ColumnElement[bool]:
    """Of a document, on PostgreSQL."""
    words: ColumnElement[Any] = literal_column("product_documents.words")
    return words.op("@@", is_comparison=True)(func.to_tsquery("simple", bind("terms", TellingText())))


def _begins_a_word(beginning: ColumnElement[str], of: InstrumentedAttribute[str], dialect: str) -> ColumnElement[bool]:
    """Of a text with one space between its words; the beginning has one before it."""
    position = func.instr if dialect == "sqlite" else func.strpos
    return position(literal_column("' '", String()) + of, beginning) > 0
