"""What these tests need beside Python."""

from pathlib import Path

import pytest

from tests.conftest import needs


@pytest.fixture(scope="session")
def node() -> str:
    """The path of Node, which comes with the clients from npm."""
    return needs("node", Path(__file__).parent / "node_modules" / ".bin", "`npm ci` in tests/clients installs it")
