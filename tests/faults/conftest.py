"""The shop that is hurt: one for all tests of a module, for its processes are never idle."""

from collections.abc import Iterator

import pytest

from tests.faults.site import Site, a_site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with a_site(tmp_path_factory.mktemp("site"), hasty=True) as site:
        yield site
