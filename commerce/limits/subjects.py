"""The names of callers, as operators write them."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Literal

from commerce.accounts.throttling import network_of
from commerce.limits.errors import InvalidLimitSubject

_ID = re.compile(r"[0-9A-Za-z_]{1,64}")
_WHOLE_V6 = 64


@dataclass(frozen=True, slots=True)
class Subject:
    """`id`: of a key or user; of an address its network."""

    kind: Literal["api_key", "user", "address"]
    id: str

    @property
    def name(self) -> str:
        return f"{self.kind}:{self.id}"

    @property
    def caller(self) -> str:
        """As commerce.accounts.throttling.caller_of says it."""
        return self.id if self.kind == "address" else self.name


def subject_named(name: str) -> Subject:
    """Raises InvalidLimitSubject."""
    kind, _, given = name.partition(":")
    if kind == "address":
        return Subject("address", _network(given))
    if _ID.fullmatch(given):
        if kind == "api_key":
            return Subject("api_key", given)
        if kind == "user":
            return Subject("user", given)
    raise InvalidLimitSubject(f"{name[:100]!r} names neither a key, nor a user, nor an address")


def _network(given: str) -> str:
    """An address, or the whole /64 that it is counted by."""
    try:
        network = ipaddress.ip_network(given, strict=False)
    except ValueError:
        raise InvalidLimitSubject(f"{given[:100]!r} is no IP address") from None
    if network.prefixlen not in (network.max_prefixlen, _WHOLE_V6 if network.version == 6 else 32):  # noqa: PLR2004
        raise InvalidLimitSubject("networks are not counted together, but for the /64 of an IPv6 address")
    return network_of(str(network.network_address))
