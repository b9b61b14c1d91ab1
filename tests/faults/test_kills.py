"""Every process of the shop is killed under load, and all of them are replaced by a deployment."""

import pytest

from tests.faults.kills import SHORT
from tests.faults.proving import Fault, prove
from tests.faults.site import Site


@pytest.mark.parametrize("fault", SHORT, ids=lambda fault: fault.name)
def test_nothing_acknowledged_is_lost_or_doubled_and_streams_are_whole(site: Site, fault: Fault) -> None:
    outcome = prove(site, fault)

    assert outcome.faults == [], outcome.rows
