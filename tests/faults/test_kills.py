"""Every process of the shop is killed under load, and all of them are replaced by a deployment."""

from collections.abc import Iterator

import pytest

from tests.faults.kills import SHORT
from tests.faults.proving import Fault, prove
from tests.faults.site import Site, a_site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with a_site(tmp_path_factory.mktemp("site"), hasty=True) as site:
        yield site


@pytest.mark.parametrize("fault", SHORT, ids=lambda fault: fault.name)
def test_nothing_acknowledged_is_lost_or_doubled_and_streams_are_whole(site: Site, fault: Fault) -> None:
    outcome = prove(site, fault)

    assert outcome.faults == [], outcome.rows
