"""Connections to addresses that others chose, such as webhooks': only to machines that everybody may reach.

A name is resolved once, every address that it has is checked, and the connection goes to an address that was checked: a
name that points elsewhere a moment later (DNS rebinding) gains nothing. Certificates are still checked for the name.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import httpcore2

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Awaitable[list[str]]]
Options = Iterable[httpcore2.SOCKET_OPTION]

_GLOBAL_UNICAST = IPv6Network("2000::/3")
# Addresses with another one inside (6to4, Teredo), and what older Pythons do not know to be special: the relays of
# 6to4, protocol assignments, documentation. IPv4 in IPv6, as in ::ffff:0:0/96 and 64:ff9b::/96, is outside of 2000::/3.
_SPECIAL_6 = tuple(map(IPv6Network, ("2002::/16", "2001::/23", "3fff::/20")))
_SPECIAL_4 = tuple(map(IPv4Network, ("192.88.99.0/24", "192.0.0.0/24")))


class ForbiddenAddress(httpcore2.ConnectError):
    """The name leads to a machine that is not on the public internet."""


def is_public(address: Address) -> bool:
    """Whether it is one machine on the public internet: not private, loopback, link-local, multicast or reserved, and
    no other address in disguise.
    """
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    if isinstance(address, IPv4Address):
        return not any(address in special for special in _SPECIAL_4)
    return address in _GLOBAL_UNICAST and not any(address in special for special in _SPECIAL_6)


async def resolve(host: str, port: int) -> list[str]:
    """Each address of the host once, as the system orders them. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class GuardedNetwork(httpcore2.AsyncNetworkBackend):
    """What httpcore2 connects through. With `allow_private`, for development, nothing is refused."""

    def __init__(
        self,
        *,
        allow_private: bool,
        resolve: Resolve = resolve,
        network: httpcore2.AsyncNetworkBackend | None = None,
    ) -> None:
        self._allow_private = allow_private
        self._resolve = resolve
        self._network = network or httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  httpcore2's
        local_address: str | None = None,
        socket_options: Options | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Raises ForbiddenAddress where any address of the host is not public, httpcore2.ConnectError otherwise."""
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:  # the latter where it cannot be a name at all
            raise httpcore2.ConnectError(f"{host} has no address: {error}") from error
        if not self._allow_private and not all(is_public(ipaddress.ip_address(each)) for each in addresses):
            raise ForbiddenAddress("it leads to an address that is not public")
        failure: Exception = httpcore2.ConnectError(f"{host} has no address")
        for address in addresses:
            try:
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure

    async def connect_unix_socket(
        self,
        path: str,  # noqa: ARG002
        timeout: float | None = None,  # noqa: ARG002, ASYNC109
        socket_options: Options | None = None,  # noqa: ARG002
    ) -> httpcore2.AsyncNetworkStream:
        raise ForbiddenAddress("a socket of this machine is not public")

    async def sleep(self, seconds: float) -> None:
        await self._network.sleep(seconds)
