"""Conditional requests (RFC 9110, 13): entity tags from row versions, so that a 304 costs no serialisation."""

import hashlib
import re
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from starlette.responses import Response

from core.errors import StaleVersion

T = TypeVar("T")
_TAG = re.compile(r'(?:W/)?"([^"]*)"')


def weak_tag(*parts: object) -> str:
    """A weak tag: the same content may be compressed in several ways."""
    digest = hashlib.blake2b("\0".join(map(str, parts)).encode(), digest_size=12).hexdigest()
    return f'W/"{digest}"'


def version_tag(version: int) -> str:
    return f'W/"{version}"'


def is_current(if_none_match: str | None, tag: str) -> bool:
    """Whether the client's copy is the present one (weak comparison)."""
    if if_none_match is None:
        return False
    opaque = tag.removeprefix("W/").strip('"')
    return if_none_match.strip() == "*" or opaque in _TAG.findall(if_none_match)


def expected_version(if_match: str | None) -> int | None:
    """The version that an If-Match header asks for; None where it asks for none, or for any (`*`).

    Raises StaleVersion for a tag that no product of ours ever had.
    """
    if if_match is None or if_match.strip() == "*":
        return None
    versions = [tag for tag in _TAG.findall(if_match) if tag.isascii() and tag.isdigit()]
    if len(versions) != 1 or len(versions[0]) > 9:  # noqa: PLR2004  a 32-bit version
        raise StaleVersion(f"If-Match {if_match[:100]!r} is not an ETag of this resource")
    return int(versions[0])


def cache_headers(tag: str, *, public: bool, vary: str = "Authorization") -> dict[str, str]:
    """Shared caches may keep what is public, and must ask before each use: a write shows at once."""
    return {
        "ETag": tag,
        "Cache-Control": "public, max-age=0, must-revalidate" if public else "private, no-cache",
        "Vary": vary,
    }


def not_modified(headers: dict[str, str]) -> Response:
    """`headers` are those of the 200. Compression adds its Vary to answers with a body alone (RFC 9110, 15.4.5)."""
    vary = ", ".join(filter(None, (headers.get("Vary"), "Accept-Encoding")))
    return Response(status_code=304, headers={**headers, "Vary": vary})


async def unchanged(
    read: Callable[..., Awaitable[T | None]], headers_of: Callable[[T], dict[str, str]], if_none_match: str | None
) -> Response | None:
    """The 304 for a caller whose copy is current. It is found by `read(only_keys=True)`: it costs no serialisation."""
    found = await read(only_keys=True) if if_none_match is not None else None
    if found is None:
        return None
    headers = headers_of(found)
    return not_modified(headers) if is_current(if_none_match, headers["ETag"]) else None


def tag_of(versions: Iterable[tuple[str, int]], *more: object) -> str:
    """The tag of a list: which rows, at which versions, and whatever else the body shows."""
    return weak_tag(*(f"{row_id}:{version}" for row_id, version in versions), *more)
