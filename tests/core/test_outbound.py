"""The guard of outgoing connections. No test sends anything off this machine: names are resolved by a stub, and the
network below the guard only notes where it is sent, or leads to this machine whatever it is told.
"""

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator

import httpcore2
import pytest

from core.outbound import ForbiddenAddress, GuardedNetwork, Resolve, is_public, resolve

FORBIDDEN = """
    0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.255 127.0.0.1 127.1.2.3 169.254.0.1
    169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.8 192.0.0.170 192.0.2.1 192.88.99.1 192.168.0.1
    192.168.255.255 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1
    255.255.255.255 :: ::1 ::127.0.0.1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254
    ::ffff:8.8.8.8 ::ffff:0:127.0.0.1 64:ff9b::7f00:1 64:ff9b::808:808 64:ff9b:1::a00:1 100::1 2001::1
    2001:0:7f00:1:: 2001:db8::1 2001:10::1 2002:7f00:1:: 2002:a00:1:: 3fff::1 4000::1 5f00::1 fc00::1 fd12:3456::1
    fe80::1 fe80::1%eth0 fec0::1 ff02::1 ff0e::1
""".split()  # noqa: SIM905  as a list it is longer than the tests
PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "172.15.0.1", "172.32.0.1", "192.169.0.1", "100.63.0.1", "100.128.0.1"]
PUBLIC += ["2606:4700::1111", "2a00:1450:4001:80b::200e", "2001:4860:4860::8888"]


class Network(httpcore2.AsyncNetworkBackend):
    """Below the guard: notes the addresses, and connects to `port` of this machine, if there is one."""

    def __init__(self, port: int | None = None, failing: int = 0) -> None:
        self.connected: list[tuple[str, int]] = []
        self._port = port
        self._failing = failing

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,
        socket_options: object = None,  # noqa: ARG002
    ) -> httpcore2.AsyncNetworkStream:
        self.connected.append((host, port))
        if self._port is None or len(self.connected) <= self._failing:
            raise httpcore2.ConnectError("nobody is there")
        return await httpcore2.AnyIOBackend().connect_tcp("127.0.0.1", self._port, timeout, local_address)


def names(*answers: list[str]) -> Resolve:
    """A resolver that gives one answer after the other, and then none."""
    left = list(answers)

    async def resolve(_host: str, _port: int) -> list[str]:
        return left.pop(0)

    return resolve


@pytest.mark.parametrize("address", FORBIDDEN)
def test_address_of_no_machine_on_the_public_internet_is_forbidden(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_address_on_the_public_internet_is_not(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", FORBIDDEN)
async def test_forbidden_address_is_not_connected_to(address: str) -> None:
    network = Network()
    guard = GuardedNetwork(allow_private=False, resolve=names([address]), network=network)

    with pytest.raises(ForbiddenAddress):
        await guard.connect_tcp("shop.example.com", 443)

    assert network.connected == []


async def test_one_forbidden_address_among_public_ones_forbids_the_name() -> None:
    network = Network()
    guard = GuardedNetwork(allow_private=False, resolve=names(["8.8.8.8", "10.0.0.1"]), network=network)

    with pytest.raises(ForbiddenAddress):
        await guard.connect_tcp("shop.example.com", 443)

    assert network.connected == []


async def test_connection_goes_to_the_address_that_was_checked() -> None:
    """DNS rebinding: the name is not asked for again, which would now lead to this machine."""
    network = Network()
    guard = GuardedNetwork(allow_private=False, resolve=names(["8.8.8.8"], ["127.0.0.1"]), network=network)

    with pytest.raises(httpcore2.ConnectError, match="nobody is there"):
        await guard.connect_tcp("rebinding.example.com", 443)
    with pytest.raises(ForbiddenAddress):
        await guard.connect_tcp("rebinding.example.com", 443)

    assert network.connected == [("8.8.8.8", 443)]


@pytest.fixture
async def listener() -> AsyncIterator[int]:
    """A server on this machine that says hello."""

    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


async def test_second_address_is_tried_when_the_first_does_not_answer(listener: int) -> None:
    network = Network(listener, failing=1)
    guard = GuardedNetwork(allow_private=False, resolve=names(["2606:4700::1111", "1.1.1.1"]), network=network)

    stream = await guard.connect_tcp("shop.example.com", 443)

    assert await stream.read(10) == b"hello"
    await stream.aclose()
    assert network.connected == [("2606:4700::1111", 443), ("1.1.1.1", 443)]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0", "[::1]", "::1"])
async def test_every_way_to_write_this_machine_is_forbidden_in_production(host: str, listener: int) -> None:
    guard = GuardedNetwork(allow_private=False)

    with pytest.raises(httpcore2.ConnectError):
        await guard.connect_tcp(host, listener)


async def test_private_addresses_are_allowed_in_development(listener: int) -> None:
    stream = await GuardedNetwork(allow_private=True).connect_tcp("127.0.0.1", listener)

    assert await stream.read(10) == b"hello"
    await stream.aclose()


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "..", "\udcff"])
async def test_what_can_be_no_name_has_no_address(host: str) -> None:
    with pytest.raises(httpcore2.ConnectError):
        await GuardedNetwork(allow_private=False).connect_tcp(host, 443)


async def test_name_without_an_address_cannot_be_connected_to() -> None:
    async def unknown(_host: str, _port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    for resolver in (unknown, names([])):
        with pytest.raises(httpcore2.ConnectError, match="has no address"):
            await GuardedNetwork(allow_private=False, resolve=resolver).connect_tcp("nowhere.example", 443)


async def test_sockets_of_this_machine_are_forbidden() -> None:
    with pytest.raises(ForbiddenAddress):
        await GuardedNetwork(allow_private=True).connect_unix_socket("/run/anything.sock")


async def test_resolver_gives_each_address_once() -> None:
    assert await resolve("127.0.0.1", 80) == ["127.0.0.1"]
