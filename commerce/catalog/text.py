"""Texts of the catalogue: handles and slugs, clean HTML, and the words for search and order."""

import html
import re
import unicodedata
from collections.abc import Callable
from functools import cache

_TAG = re.compile(r"<[/!?a-zA-Z][^<>]*>")  # linear also for a text of nothing but <
_PRE = re.compile(r'(<pre(?: [\w-]+="[^"]*")*>)\n')
_MAX_LOOKS = 10  # two are enough for all but a few in ten thousand random texts
_NOT_WORD = re.compile(r"[\W_]+")
_SPACED = "".join(mark if mark.isalnum() else " " for mark in map(chr, range(128)))  # the same, of ASCII


def is_storable(text: str) -> bool:
    """PostgreSQL cannot store NUL, and a lone surrogate is not text at all: nothing has such a name."""
    return "\0" not in text and (text.isascii() or not any("\ud800" <= mark <= "\udfff" for mark in text))


def slugify(text: str) -> str:
    """`Ridge Rain Jacket (Men's)` -> `ridge-rain-jacket-men-s`; never empty."""
    # Case folding turns a few letters (Cherokee) to upper case.
    return _NOT_WORD.sub("-", fold(text).lower())[:200].strip("-") or "item"


def fold(text: str) -> str:
    """Lower case without accents, so that both databases compare and find alike."""
    if text.isascii():
        return text.casefold()
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(mark for mark in decomposed if not unicodedata.combining(mark)).casefold()


def clean_html(body: str) -> str:
    """HTML with only what is safe to show on a shop's page (nh3, the Ammonia rules). Cleaning twice changes nothing."""
    if not body or ("<" not in body and "&" not in body and ">" not in body and "\0" not in body and "\r" not in body):
        return body.replace("\xa0", "&nbsp;")
    # A tag that is taken out can leave its children where a parser would not: a second look puts them right.
    for _ in range(_MAX_LOOKS):
        cleaned = _as_read(_cleaner()(body))
        if cleaned == body:
            break
        body = cleaned
    return body


@cache
def _cleaner() -> Callable[[str], str]:
    """Loaded where HTML is written: most processes only read. What is allowed is put together once."""
    import nh3  # noqa: PLC0415

    return nh3.Cleaner().clean


def _as_read(cleaned: str) -> str:
    """What a parser drops when it reads its own output, so written that it stays: CR, and a line end after <pre>."""
    if "\r" in cleaned:
        cleaned = cleaned.replace("\r", "&#13;")
    return _PRE.sub(r"\1\n\n", cleaned) if "<pre" in cleaned else cleaned


def search_words(*texts: str) -> str:
    """The words of texts or HTML, folded, one space between."""
    folded = fold(plain_text(" ".join(texts)))
    if folded.isascii():
        return " ".join(folded.translate(_SPACED).split())
    return _NOT_WORD.sub(" ", folded).strip()


def plain_text(text: str) -> str:
    """Of text or HTML, without marks."""
    if "<" in text:
        text = _TAG.sub(" ", text)
    return html.unescape(text) if "&" in text else text
