"""One kept answer: everything of it that is the same for all who ask, ready to be sent."""

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from core.ratelimit import Verdict
from core.web.conditional import is_current
from core.web.finished import head_of
from core.web.response_cache import Count, Sharing, Tail
from core.web.response_cache.encodings import Open, compressed

Headers = list[tuple[bytes, bytes]]
FRESH_SECONDS = 60  # a safety net: what changes is taken out at once
STALE_SECONDS = 600  # more, in which it is still given while it is made anew
# Of each request its own.
_NOT_KEPT = {b"ratelimit", b"ratelimit-policy", b"server-timing", b"date", b"age", b"cache-status"}
_OF_THE_BODY = {b"content-type", b"content-length", b"content-encoding", b"content-security-policy"}
# What answers may depend on: it is in the key, or such requests never come here.
_KNOWN = {
    b"accept-encoding",
    b"authorization",
    b"origin",
    b"accept",
    b"x-client-name",
    b"apollographql-client-name",
}
_SEPARATORS = re.compile(rb"\s*,\s*")
_FIXED_BYTES = 1_000  # of the objects around


@dataclass(frozen=True, slots=True)
class Made:
    """An answer as the application gave it, and what it said of it. `route`: its label in metrics and the log."""

    sharing: Sharing
    headers: Headers
    body: bytes
    route: str
    audience: str


class Entry:
    """`size` in bytes, of all that is kept. `made`: when, by the cache's clock."""

    __slots__ = (
        "_age",
        "_open",
        "_tail",
        "_told",
        "audience",
        "body",
        "counts",
        "etag",
        "head",
        "made",
        "not_modified",
        "points",
        "route",
        "size",
        "tags",
    )

    def __init__(self, answer: Made, made: float) -> None:
        sharing = answer.sharing
        self.made = made
        self.route, self.audience = answer.route, answer.audience
        self.points, self.tags = sharing.points, sharing.tags or frozenset()
        self.counts: tuple[Count, ...] = tuple(sharing.counts)
        headers = [header for header in answer.headers if header[0] not in _NOT_KEPT]
        self.etag = _value(headers, b"etag")
        self.not_modified = head_of(_without_body(headers))
        self.body = answer.body
        self._tail: Tail | None = sharing.tail
        self._open: Open | None = None
        if sharing.tail is not None:
            self._open = compressed(sharing.stable, _value(headers, b"content-encoding").decode())
            self.body = self._open.head
            headers = [header for header in headers if header[0] != b"content-length"]
        self.head = head_of(headers)
        self._age, self._told = -1, b""
        self.size = _FIXED_BYTES + sum(sys.getsizeof(kept) for kept in (self.body, self.head, self.not_modified))

    def told(self, now: float) -> bytes:
        """The headers of how old it is (RFC 9111, 5.1; RFC 9211), made once a second."""
        age = int(now - self.made)
        if age != self._age:
            self._age = age
            self._told = b"age: %d\r\ncache-status: portico; hit; ttl=%d\r\n" % (age, FRESH_SECONDS - age)
        return self._told

    def told_on_error(self, now: float, *, changed: bool) -> bytes:
        """The same where it is given because it cannot be made anew."""
        age = int(now - self.made)
        why = b"detail=changed" if changed else b"ttl=%d" % (FRESH_SECONDS - age)
        return b"age: %d\r\ncache-status: portico; fwd=stale; fwd-status=503; %s\r\n" % (age, why)

    def body_for(self, verdict: Verdict | None) -> bytes:
        if self._open is None or self._tail is None or verdict is None:
            return self.body
        return self.body + self._open.end(self._tail(verdict))

    @property
    def has_tail(self) -> bool:
        return self._tail is not None

    def is_current(self, if_none_match: bytes) -> bool:
        if not self.etag:
            return False
        return if_none_match == self.etag or is_current(if_none_match.decode("latin-1"), self.etag.decode("latin-1"))


def may_be_kept(status: int, headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """A success that sets no cookie, and depends on nothing but what is in the key."""
    named = [name for given, value in headers if given == b"vary" for name in _SEPARATORS.split(value.strip().lower())]
    return status == 200 and _KNOWN.issuperset(named) and not any(name == b"set-cookie" for name, _ in headers)  # noqa: PLR2004


def _without_body(headers: Headers) -> Headers:
    """Of the 304, which says that its answer depends on the encoding, as the application's does, though it has none."""
    kept = [header for header in headers if header[0] not in _OF_THE_BODY]
    if b"accept-encoding" not in _value(kept, b"vary").lower():
        kept = [(name, value + b", Accept-Encoding" if name == b"vary" else value) for name, value in kept]
    return kept


def _value(headers: Headers, name: bytes) -> bytes:
    return next((value for given, value in headers if given == name), b"")
