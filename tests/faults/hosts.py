"""A second host beside the first, whose ways to PostgreSQL and Valkey can be cut: by our proxy, or in a network
namespace of its own, where the machine lets us make one, by taking the link down.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from time import monotonic, sleep
from typing import Literal, Protocol

import httpx2

from tests.faults.proving import Fault
from tests.faults.proxy import Proxy, proxy, to_address, to_socket
from tests.faults.site import Gateway, Site, until

Service = Literal["PostgreSQL", "Valkey"]
SERVICES: tuple[Service, ...] = ("PostgreSQL", "Valkey")
# What a host that is cut off says is away, and what it answers who asks for orders (docs/operations.md).
_AWAY: dict[Service, set[str]] = {"PostgreSQL": {"database", "schema"}, "Valkey": {"redis"}}
_TOLD: dict[Service, tuple[int, str]] = {"PostgreSQL": (503, "database_unavailable"), "Valkey": (200, "")}
_ASK_SECONDS = 30


class Ways(Protocol):
    """From the second host to what it needs."""

    def cut(self, service: Service) -> None: ...
    def mend(self, service: Service) -> None: ...


@dataclass(frozen=True, slots=True)
class Host:
    gateway: Gateway
    ways: Ways
    key: str

    def away(self) -> set[str]:
        """What it misses, as it says itself."""
        checks = self._get("/readyz").json()["checks"]
        return {each["name"] for each in checks if not each["ok"]}

    def told(self) -> tuple[int, str]:
        """What it answers who asks for orders: the status, and a problem's code, where it says when to come back."""
        answer = self._get("/public/v1/orders?size=1")
        return answer.status_code, answer.json()["code"] if "retry-after" in answer.headers else ""

    def _get(self, path: str) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {self.key}"}
        return httpx2.get(f"{self.gateway.address}{path}", headers=headers, timeout=_ASK_SECONDS, trust_env=False)


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


@cache
def namespaces_are_allowed() -> bool:
    """Tried, because nothing tells."""
    links = Links()
    try:
        links.open()
    except (OSError, subprocess.CalledProcessError):  # there is no `ip`, or it may not
        return False
    finally:
        with suppress(OSError, subprocess.CalledProcessError):
            links.close()
    return True


def ways() -> dict[str, bool]:
    """In which a host can be cut off here, by name, and whether each is `second_host`'s `namespace`."""
    return {"proxy": False} | ({"namespace": True} if namespaces_are_allowed() else {})


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
            "PostgreSQL": to_socket(site.postgres.socket),
            "Valkey": to_address("127.0.0.1", site.valkey.port),
        }
        for service in SERVICES:
            host = links.ours(service) if links is not None else "127.0.0.1"
            proxies[service] = stack.enter_context(proxy(targets[service], host))
        environment = site.led(proxies["PostgreSQL"].address, proxies["Valkey"].address)
        prefix = ("ip", "netns", "exec", links.name) if links is not None else ()
        host = links.theirs("clients") if links is not None else "127.0.0.1"
        gateway = Gateway(site.start, environment, host, workers=1, prefix=prefix)
        stack.callback(gateway.started.end)
        yield Host(gateway, links or Proxies(proxies), site.key)


def cut_off(host: Host, service: Service, seconds: float, way: str) -> Fault:
    """From one service, for so long after the host has said so and answered as documented; then it is well again."""

    def act(_site: Site) -> float:
        host.ways.cut(service)
        until(lambda: host.away() == _AWAY[service], f"it says that {service} is away")
        until(lambda: host.told() == _TOLD[service], f"it answers as one that has no {service}")
        sleep(seconds)
        host.ways.mend(service)
        back = monotonic()
        until(lambda: not host.away(), f"it says that {service} is there again")
        until(lambda: host.told() == (200, ""), "it answers again")
        return back

    return Fault(f"a host is cut off from {service} for {seconds:g} s ({way})", act, spared=0)
