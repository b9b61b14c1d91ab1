"""Commands run in this process, and what they print."""

import pytest
from typer.testing import CliRunner, Result

from gateway.cli import app

CLOSED = "postgresql+asyncpg://portico:sesame-4711@127.0.0.1:1/portico"


def portico(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def refused(result: Result) -> str:
    """The one line that it was refused with."""
    assert (result.exit_code, result.stdout) == (1, ""), result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("portico: ")
    return line


def use(url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("PORTICO_DATABASE_URL", url)
    monkeypatch.setenv("PORTICO_SECRET_KEY", "k" * 32)
    return url
