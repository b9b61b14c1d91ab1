"""What these tests need beside Python."""

from pathlib import Path

import pytest

from tests.clients.shop import Shop
from tests.conftest import needs
from tests.fixtures.processes import StartProcess


@pytest.fixture(scope="session")
def node() -> str:
    """The path of Node, which comes with the clients from npm."""
    return needs("node", Path(__file__).parent / "node_modules" / ".bin", "`npm ci` in tests/clients installs it")


@pytest.fixture
def shop(node: str, start: StartProcess, tmp_path: Path, free_port: int) -> Shop:  # noqa: ARG001  or none is opened
    return Shop(start, tmp_path, free_port)
