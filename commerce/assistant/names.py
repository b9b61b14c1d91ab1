"""Names of products in prose: capitalised words that end with a kind of product, such as `Everest Storm Jacket`."""

import re
from collections.abc import Iterator

from commerce.assistant.facts import Facts, singular
from commerce.catalog.text import search_words

# Words with a capital letter that begin sentences, and no names.
_WORDS = """
A An The This That These Those It Its I You Your We Our They Their He She There Here If For From With Without In On At
By To Of And Or But So As Is Are Was Were Be Do Does Did Can Could Will Would Should May Might Not No Yes Both All Any
Some Each Every Either Neither One Two Three What Which Who When Where Why How Let Please Thanks Thank Sorry Hello Hi
Also Then Than Because While Since After Before Until Now Today Just Only Very More Most Less Least Try Consider See
Take Look Check Choose Ask Tell Sign My Me Us Among Here's It's I'm You're We're They're That's Another
"""
COMMON = _WORDS.split()
_COMMON = frozenset(word.lower() for word in COMMON)
_WORD = r"[A-ZÀ-Þ0-9][\w'\u2019.&/-]*"
_JOINED = r"(?:[\s*_]+(?:(?:of|the|and|&|in|for|de|la)[\s*_]+)?)"
_CAPITALISED = re.compile(rf"\b{_WORD}(?:{_JOINED}{_WORD})+")
_PLACE = re.compile(r"[\w'\u2019.&/-]+")


def names_in(text: str, facts: Facts) -> Iterator[tuple[int, int]]:
    """Where the text has names that look like products', and are none that the facts know."""
    for found in _CAPITALISED.finditer(text):
        words = [(place.start() + found.start(), place[0].rstrip(".'\u2019")) for place in _PLACE.finditer(found[0])]
        while words and words[0][1].lower() in _COMMON:
            words.pop(0)
        last = next((place for place in reversed(range(len(words))) if _kind(words[place][1]) in facts.kinds), 0)
        name = words[: last + 1]
        if len(name) > 1 and not _is_known(name, text, facts):
            yield name[0][0], name[-1][0] + len(name[-1][1])


def _kind(word: str) -> str:
    return singular(search_words(word))


def _is_known(name: list[tuple[int, str]], text: str, facts: Facts) -> bool:
    """Whether a title that is known is part of it, or it is part of one; or it says no more than what products are
    described by, and what the user has asked for.
    """
    called = search_words(text[name[0][0] : name[-1][0] + len(name[-1][1])])
    titles = [search_words(each.card.title) for each in facts.products.values()]
    if any(title in called or called in title for title in titles):
        return True
    words = set(search_words(facts.asked).split())
    for each in facts.products.values():
        words |= each.words - set(search_words(each.card.title).split())
    return {singular(word) for word in called.split()} <= {singular(word) for word in words} | facts.kinds
