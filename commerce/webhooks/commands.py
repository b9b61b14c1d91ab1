"""What can be asked of webhooks, with the rules of an endpoint."""

import ipaddress
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from commerce.catalog.text import is_storable
from commerce.webhooks.errors import InvalidEndpoint
from core.errors import FieldError
from core.outbound import is_public

MAX_URL = 2000
MAX_DESCRIPTION = 500


@dataclass(frozen=True, slots=True)
class CreateEndpoint:
    """`types` are unique and in order; none is all. Raises InvalidEndpoint."""

    url: str
    description: str = ""
    types: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "types", tuple(sorted(set(self.types))))
        check_url(self.url)
        check_description(self.description)


@dataclass(frozen=True, slots=True)
class UpdateEndpoint:
    """None: as it is. Raises InvalidEndpoint."""

    endpoint_id: str
    url: str | None = None
    description: str | None = None
    types: tuple[str, ...] | None = None
    state: Literal["enabled", "disabled"] | None = None
    expected_version: int | None = None

    def __post_init__(self) -> None:
        if self.types is not None:
            object.__setattr__(self, "types", tuple(sorted(set(self.types))))
        if self.url is not None:
            check_url(self.url)
        if self.description is not None:
            check_description(self.description)


@dataclass(frozen=True, slots=True)
class RotateSecret:
    endpoint_id: str


@dataclass(frozen=True, slots=True)
class SendTest:
    endpoint_id: str


@dataclass(frozen=True, slots=True)
class Redeliver:
    delivery_id: str


@dataclass(frozen=True, slots=True)
class RedeliverRange:
    """Events after `after`, up to and with `until`, or up to the newest."""

    endpoint_id: str
    after: str
    until: str | None = None


def check_url(url: str) -> None:
    """What can be said of it without asking anybody. Raises InvalidEndpoint."""
    if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
        _refuse("/url", f"an address has at most {MAX_URL} ASCII characters and no spaces")
    try:
        parts = urlsplit(url)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        whole = False
    if not whole:
        _refuse("/url", "an address is like https://example.com/hooks")
    if parts.username is not None or parts.password is not None or parts.fragment:
        _refuse("/url", "an address has no user, no password and no fragment")


def check_reachable(url: str) -> None:
    """In production. What a name leads to is known when it is called. Raises InvalidEndpoint."""
    parts = urlsplit(url)
    if parts.scheme != "https":
        _refuse("/url", "an address begins with https://")
    try:
        public = is_public(ipaddress.ip_address(parts.hostname or ""))
    except ValueError:
        public = parts.hostname != "localhost"
    if not public:
        _refuse("/url", "an address is on the public internet")


def check_description(description: str) -> None:
    if len(description) > MAX_DESCRIPTION or not is_storable(description):
        _refuse("/description", f"a description has at most {MAX_DESCRIPTION} characters, all of them text")


def _refuse(pointer: str, message: str) -> None:
    raise InvalidEndpoint(message, errors=(FieldError(pointer, "invalid", message),))
