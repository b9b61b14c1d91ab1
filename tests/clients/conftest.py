"""What these tests need beside Python. It is not on every machine: who runs them is told what was left out."""

import os
from pathlib import Path

import pytest

_NODE = Path(__file__).parent / "node_modules" / ".bin" / "node"
_MISSING = "the clients from npm are not installed (`npm ci` in tests/clients installs them)"


@pytest.fixture(scope="session")
def node() -> str:
    """The path of Node. Where it is missing, the tests that need it are left out; with TEST_ALL=1 they fail."""
    if not _NODE.exists():
        if os.environ.get("TEST_ALL"):
            pytest.fail(f"TEST_ALL is set, and {_MISSING}")
        pytest.skip(_MISSING)
    return str(_NODE)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    left_out = [each for each in terminalreporter.stats.get("skipped", []) if _MISSING in str(each.longrepr)]
    if left_out:
        terminalreporter.section("left out", sep="!")
        terminalreporter.line(f"{len(left_out)} tests of GraphQL subscriptions with Node's clients: {_MISSING}")
