"""The shop that is hurt: one for all tests of a process."""

from collections.abc import Iterator

import pytest

from tests.faults.site import Site, a_site


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with a_site(tmp_path_factory.mktemp("site"), hasty=True) as site:
        yield site
