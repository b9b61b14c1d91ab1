"""How often somebody may try to sign in or register: by account and by address."""

import hashlib
import ipaddress
from functools import lru_cache

from commerce.accounts.principal import Principal
from core.errors import RateLimited
from core.ratelimit import Limit, Limiter, Verdict

# An account's is small: it is what stands between a short password and a guesser with many addresses.
TRIES_OF_ACCOUNT = Limit("sign-in:account", 10, 15 * 60)
FAILURES_OF_ADDRESS = Limit("sign-in:address", 50, 15 * 60)
REGISTRATIONS_OF_ADDRESS = Limit("register:address", 60, 60)


class SignInThrottle:
    """Per process. Counts tries for unknown accounts as for known ones."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter

    async def admit(self, email: str, address: str) -> None:
        """Counts a try of the account. Raises RateLimited."""
        _require(await self._limiter.peek(FAILURES_OF_ADDRESS, network_of(address)))
        _require(await self._limiter.hit(TRIES_OF_ACCOUNT, _account(email)))

    async def failed(self, address: str) -> None:
        await self._limiter.hit(FAILURES_OF_ADDRESS, network_of(address))

    async def succeeded(self, email: str) -> None:
        await self._limiter.clear(TRIES_OF_ACCOUNT, _account(email))


async def admit_registration(limiter: Limiter, address: str) -> None:
    """Raises RateLimited."""
    _require(await limiter.hit(REGISTRATIONS_OF_ADDRESS, network_of(address)))


def caller_of(principal: Principal, address: str) -> str:
    """Who is counted: the key, else the user, else the network."""
    return network_of(address) if principal.kind == "anonymous" else principal.name


@lru_cache(4096)
def network_of(address: str) -> str:
    """What one customer of a provider has: an IPv4 address, or a /64 of IPv6."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed) >> 64 << 64, 64)))


def _account(email: str) -> str:
    """Of one length, whatever was sent as an address."""
    return hashlib.sha256(email.strip().lower().encode("utf-8", "surrogatepass")).hexdigest()


def _require(verdict: Verdict) -> None:
    if not verdict.allowed:
        raise RateLimited(retry_after_seconds=verdict.reset_seconds)
