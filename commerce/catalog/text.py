"""Texts of the catalogue: handles and slugs, clean HTML, and the words for search and order."""

import html
import re
import unicodedata

import nh3

_TAG = re.compile(r"<[^>]*>")
_NOT_WORD = re.compile(r"[\W_]+")


def slugify(text: str) -> str:
    """`Ridge Rain Jacket (Men's)` -> `ridge-rain-jacket-men-s`; never empty."""
    return _NOT_WORD.sub("-", fold(text)).strip("-")[:200] or "item"


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
    return nh3.clean(body)


def search_words(*texts: str) -> str:
    """The words of texts or HTML, folded, one space between."""
    joined = " ".join(texts)
    if "<" in joined:
        joined = _TAG.sub(" ", joined)
    if "&" in joined:
        joined = html.unescape(joined)
    return _NOT_WORD.sub(" ", fold(joined)).strip()
