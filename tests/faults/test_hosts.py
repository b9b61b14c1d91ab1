"""Two hosts, of which one is cut off from a service: the other does not notice, and the one recovers."""

from collections.abc import Iterator

import pytest

from tests.faults.hosts import SERVICES, Host, Service, cut_off, second_host, ways
from tests.faults.proving import prove
from tests.faults.site import Site

SECONDS = 1.0


@pytest.fixture(scope="module", params=ways())
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def host(site: Site, way: str) -> Iterator[Host]:
    with second_host(site, namespace=ways()[way]) as host:
        yield host


@pytest.mark.parametrize("service", SERVICES)
def test_host_that_is_cut_off_loses_nothing_and_harms_nobody_else(
    site: Site, host: Host, way: str, service: Service
) -> None:
    addresses = [site.gateway.address, host.gateway.address]

    outcome = prove(site, cut_off(host, service, SECONDS, way), addresses)

    assert outcome.faults == [], outcome.rows
