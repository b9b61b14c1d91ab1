"""How often somebody may show credentials, sign in or register: by credential, by account and by address."""

import hashlib
import ipaddress
from functools import lru_cache

from commerce.accounts.principal import Principal
from commerce.limits.zones import REGISTER_ADDRESS, SIGN_IN_ACCOUNT, SIGN_IN_ADDRESS, TICKETS
from core.budget import QuotaExceeded
from core.ratelimit import Hit, Limit, Limiter, LimitExceeded, Verdict
from core.resources import Resources

# Of looking for a credential, in the points of whose it says it is, and of the network: what the budget refuses was
# looked for too, and a network may have several callers.
_LOOKS_OF_CREDENTIAL, _LOOKS_OF_ADDRESS = 2, 4


class SignInThrottle:
    """Per process. Counts tries for unknown accounts as for known ones."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter

    async def admit(self, email: str, address: str) -> None:
        """Counts a try of the account. Raises LimitExceeded, LimitsUnavailable."""
        _require(await self._limiter.peek(SIGN_IN_ADDRESS, network_of(address)))
        _require(await self._limiter.hit(SIGN_IN_ACCOUNT, _account(email)))

    async def failed(self, address: str) -> None:
        await self._limiter.hit(SIGN_IN_ADDRESS, network_of(address))

    async def succeeded(self, email: str) -> None:
        await self._limiter.clear(SIGN_IN_ACCOUNT, _account(email))


async def admit_registration(limiter: Limiter, address: str) -> None:
    """Raises LimitExceeded, LimitsUnavailable."""
    _require(await limiter.hit(REGISTER_ADDRESS, network_of(address)))


async def admit_ticket(limiter: Limiter, principal: Principal) -> None:
    """Raises LimitExceeded."""
    _require(await limiter.hit(TICKETS, principal.name))


async def admit_credential(resources: Resources, digest: bytes, claimed: str, address: str) -> None:
    """Before anybody looks for it: counts a look, for the hash of the credential and for the address, or for neither.
    `claimed`: the caller that it says it is of, which may be a lie: it says only how often, not for whom. Raises
    QuotaExceeded.
    """
    budget, network = resources.budget, network_of(address)
    hits = (
        Hit(_looks("credentials", _LOOKS_OF_CREDENTIAL * budget.limit_of(claimed).amount), digest.hex()),
        Hit(_looks("credentials:address", _LOOKS_OF_ADDRESS * budget.limit_of(network).amount), network),
    )
    whose = ("these credentials", "credentials from this network")
    for hit, shown, verdict in zip(hits, whose, await resources.limiter.hit_all(hits), strict=True):
        if not verdict.allowed:
            often = f"{shown} may be shown {hit.limit.amount} times in {hit.limit.seconds} seconds"
            raise QuotaExceeded(hit.cost, verdict, f"{often}, whatever comes of it")


@lru_cache(1024)
def _looks(name: str, amount: int) -> Limit:
    return Limit(name, amount, 60, smoothed=True)


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
        raise LimitExceeded(verdict)
