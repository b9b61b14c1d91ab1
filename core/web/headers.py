"""A request's headers, read in one pass for all layers that look at them."""

from starlette.types import Scope

_KEPT = "portico.headers"


def headers_of(scope: Scope) -> dict[bytes, bytes]:
    """By lower-case name; of a name that repeats the first, as Starlette has it. Made once, kept in the scope."""
    kept: dict[bytes, bytes] | None = scope.get(_KEPT)
    if kept is None:
        given = scope["headers"]
        kept = dict(given)
        if len(kept) != len(given):
            kept = dict(reversed(given))
        scope[_KEPT] = kept
    return kept


def repeated(scope: Scope) -> bool:
    """Whether some name is there more than once: whoever decides by one header alone may be fooled."""
    return len(headers_of(scope)) != len(scope["headers"])
