"""Finished answers, kept for whoever asks the same next (docs/adr/0017).

Nothing is kept unless the code that made it says so: `share` names what the answer is about, so that a change of that
takes it out again. Only answers to callers without credentials can be shared.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from starlette.types import Scope

from core.budget import READ_POINTS
from core.ratelimit import Verdict

Count = Callable[[Scope], None]
Tail = Callable[[Verdict], bytes]
_SHARING = "portico.sharing"
_FORGET = "portico.forget"


@dataclass(slots=True)
class Sharing:
    """What the making of an answer says of it. `quiet`: nobody asked for it, the cache itself makes it anew."""

    quiet: bool = False
    tags: frozenset[str] | None = None  # None: it is not shared
    points: int = READ_POINTS
    stable: bytes = b""
    tail: Tail | None = None
    counts: list[Count] = field(default_factory=list)


def share(
    scope: Scope, tags: Collection[str], *, points: int = READ_POINTS, stable: bytes = b"", tail: Tail | None = None
) -> None:
    """This answer is everybody's, and shows these subjects. A caller who gets it again pays `points` for it,
    nothing at 0.

    `tail`: the body is `stable` and what `tail` returns for each caller, of at most 60,000 bytes.
    """
    sharing: Sharing | None = scope.get(_SHARING)
    if sharing is not None:
        sharing.tags, sharing.points, sharing.stable, sharing.tail = frozenset(tags), points, stable, tail


def counted(scope: Scope, count: Count) -> None:
    """What is to be counted now, and each time that the answer is given again."""
    sharing: Sharing | None = scope.get(_SHARING)
    if sharing is not None:
        sharing.counts.append(count)
    if sharing is None or not sharing.quiet:
        count(scope)


def forget(scope: Scope) -> None:
    """Drops what is kept for this address, where the caller asked for that (`Cache-Control: no-cache`) and may."""
    drop: Callable[[], None] | None = scope.get(_FORGET)
    if drop is not None:
        drop()


def open_sharing(scope: Scope, *, quiet: bool = False) -> Sharing:
    sharing = scope[_SHARING] = Sharing(quiet)
    return sharing


def allow_forgetting(scope: Scope, drop: Callable[[], None]) -> None:
    scope[_FORGET] = drop
