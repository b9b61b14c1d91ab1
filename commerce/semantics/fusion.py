"""Two rankings become one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Reason = Literal["meaning", "words", "both"]
# Reciprocal rank fusion, with its authors' constant: Cormack, Clarke and Buettcher, "Reciprocal rank fusion outperforms
# Condorcet and individual rank learning methods", SIGIR 2009. Ranks are comparable where scores are not.
K = 60


@dataclass(frozen=True, slots=True)
class Ranked:
    """`score`: comparable within one ranking alone."""

    id: str
    score: float
    reason: Reason


def fused(words: Sequence[str], meaning: Sequence[str]) -> list[Ranked]:
    """The best first; of equal ones that which words found, and then the better there."""
    by_words = {each: 1 / (K + rank) for rank, each in enumerate(words, 1)}
    by_meaning = {each: 1 / (K + rank) for rank, each in enumerate(meaning, 1)}
    found = []
    for each in dict.fromkeys([*words, *meaning]):
        reason: Reason = (
            "both" if each in by_words and each in by_meaning else "words" if each in by_words else "meaning"
        )
        found.append(Ranked(each, by_words.get(each, 0.0) + by_meaning.get(each, 0.0), reason))
    return sorted(found, key=lambda ranked: -ranked.score)
