"""A second host beside the first, whose ways to PostgreSQL and Valkey can be cut: by our proxy, or in a network
namespace of its own, where the machine lets us make one, by taking the link down.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Literal, Protocol

import httpx2

from tests.faults.proving import Fault
from tests.faults.proxy import Proxy, proxy, to_address, to_socket
from tests.faults.site import Gateway, Site, until

Service = Literal["PostgreSQL", "Valkey"]
SERVICES: tuple[Service, ...] = ("PostgreSQL", "Valkey")
_ASK_SECONDS = 30


class Ways(Protocol):
    """From the second host to what it needs."""

    def cut(self, service: Service) -> None: ...
    def mend(self, service: Service) -> None: ...


@dataclass(frozen=True, slots=True)
class Host:
    gateway: Gateway
    ways: Ways

    def ready(self) -> int:
        """The status of /readyz; 0: no answer."""
        try:
            return httpx2.get(f"{self.gateway.address}/readyz", timeout=_ASK_SECONDS, trust_env=False).status_code
        except httpx2.TransportError:
            return 0


class Proxies:
    """Nothing passes, and nobody is told."""

    def __init__(self, proxies: dict[Service, Proxy]) -> None:
        self._proxies = proxies

    def cut(self, service: Service) -> None:
        self._proxies[service].set("silent")

    def mend(self, service: Service) -> None:
        self._proxies[service].set("pass")


class Links:
    """One to each service, and one to clients, each with two addresses: ours ends in 1, the host's in 2."""

    def __init__(self) -> None:
        self.name = f"portico-{os.getpid()}"
        self._numbers = {name: number for number, name in enumerate(("clients", *SERVICES))}

    def open(self) -> None:
        _ip("netns", "add", self.name)
        self._inside("link", "set", "lo", "up")
        for name, number in self._numbers.items():
            ours, theirs = self._device(name), f"inside{number}"
            _ip("link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", self.name)
            _ip("addr", "add", f"{self.ours(name)}/30", "dev", ours)
            _ip("link", "set", ours, "up")
            self._inside("addr", "add", f"{self.theirs(name)}/30", "dev", theirs)
            self._inside("link", "set", theirs, "up")

    def close(self) -> None:
        _ip("netns", "del", self.name)

    def ours(self, name: str) -> str:
        return f"10.213.{self._numbers[name]}.1"

    def theirs(self, name: str) -> str:
        return f"10.213.{self._numbers[name]}.2"

    def cut(self, service: Service) -> None:
        _ip("link", "set", self._device(service), "down")

    def mend(self, service: Service) -> None:
        _ip("link", "set", self._device(service), "up")

    def _device(self, name: str) -> str:
        return f"ptc{self._numbers[name]}-{os.getpid()}"

    def _inside(self, *arguments: str) -> None:
        _ip("-n", self.name, *arguments)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def namespaces_are_allowed() -> bool:
    """Tried, because nothing tells."""
    if shutil.which("ip") is None:
        return False
    probe = f"portico-try-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", probe], check=False, capture_output=True).returncode == 0
    return made and subprocess.run(["ip", "netns", "del", probe], check=False, capture_output=True).returncode == 0


@contextmanager
def second_host(site: Site, *, namespace: bool) -> Iterator[Host]:
    """With one worker, on the site's services, which it reaches through our proxy in any case."""
    with ExitStack() as stack:
        links = Links() if namespace else None
        if links is not None:
            stack.callback(links.close)
            links.open()
        proxies: dict[Service, Proxy] = {}
        targets = {
            "PostgreSQL": to_socket(str(site.postgres.socket)),
            "Valkey": to_address("127.0.0.1", site.valkey.port),
        }
        for service in SERVICES:
            host = links.ours(service) if links is not None else "127.0.0.1"
            proxies[service] = stack.enter_context(proxy(targets[service], host))
        environment = site.led(proxies["PostgreSQL"].address, proxies["Valkey"].address)
        prefix = ("ip", "netns", "exec", links.name) if links is not None else ()
        host = links.theirs("clients") if links is not None else "127.0.0.1"
        gateway = Gateway(site.start, environment, host, workers=1, prefix=prefix)
        stack.callback(gateway.master.end)
        yield Host(gateway, links or Proxies(proxies))


def cut_off(host: Host, service: Service, seconds: float, way: str = "proxy") -> Fault:
    """From one service for so long, which the host says of itself; then it is well again."""

    def act(_site: Site) -> float:
        host.ways.cut(service)
        until(lambda: host.ready() != 200, f"it says that {service} is away")
        sleep(seconds)
        host.ways.mend(service)
        back = monotonic()
        until(lambda: host.ready() == 200, f"it says that {service} is there again")
        return back

    return Fault(f"a host is cut off from {service} for {seconds:g} s ({way})", act, spared=0)
