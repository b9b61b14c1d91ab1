"""Two hosts, of which one is cut off from a service: the other does not notice, and the one recovers."""

from collections.abc import Iterator

import pytest

from tests.faults.hosts import SERVICES, Host, Service, cut_off, second_host
from tests.faults.proving import prove
from tests.faults.site import Site, a_site

SECONDS = 3.0


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with a_site(tmp_path_factory.mktemp("site"), hasty=True) as site:
        yield site


@pytest.fixture(scope="module")
def host(site: Site) -> Iterator[Host]:
    with second_host(site, namespace=False) as host:
        yield host


@pytest.mark.parametrize("service", SERVICES)
def test_host_that_is_cut_off_loses_nothing_and_harms_nobody_else(site: Site, host: Host, service: Service) -> None:
    outcome = prove(site, cut_off(host, service, SECONDS), [site.gateway.address, host.gateway.address])

    assert outcome.faults == [], outcome.rows
