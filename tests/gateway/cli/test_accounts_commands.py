"""`portico users` and what `portico keys` writes down: on each kind of database."""

import asyncio
import json
import os
import pty
import re
import subprocess
from pathlib import Path
from select import select as select_ready
from typing import Any

import pytest
from sqlalchemy import select
from typer.testing import CliRunner, Result

from commerce.accounts.entities import User
from commerce.accounts.models import ApiKeyRow, UserRow
from commerce.accounts.passwords import PASSWORDS
from commerce.accounts.principal import ROLES
from commerce.accounts.repository import AccountRepository
from commerce.audit.log import AuditEntry, AuditRepository
from core.database import Database
from gateway.cli import app
from tests.fixtures.processes import PORTICO

PASSWORD = "correct horse battery staple"
ADMIN = ("a@example.com", "--role", "admin")
ADA = ("users", "create", "Ada@Example.com", "--role", "editor")


@pytest.fixture(autouse=True)
def database_url(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Migrated; as the commands find it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PORTICO_DATA_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("PORTICO_DATABASE_URL", database_url)
    monkeypatch.setenv("PORTICO_SECRET_KEY", "k" * 32)
    monkeypatch.setenv("COLUMNS", "200")
    return database_url


def portico(*arguments: str, given: str | None = None) -> Result:
    return CliRunner().invoke(app, arguments, input=given)


def refused(result: Result) -> str:
    assert (result.exit_code, result.stdout) == (1, ""), result.output
    (line,) = result.stderr.splitlines()
    return line


def stored(url: str) -> tuple[list[tuple[User, str]], list[AuditEntry]]:
    """Every user with the hash of the password, and the audit log from its beginning."""

    async def read() -> tuple[list[tuple[User, str]], list[AuditEntry]]:
        database = Database(url)
        async with database.read() as session:
            emails = await session.scalars(select(UserRow.email).order_by(UserRow.created_at))
            found = [await AccountRepository(session).user_with_password_hash(email) for email in emails]
            entries, _ = await AuditRepository(session).newest()
        await database.close()
        return [each for each in found if each is not None], entries[::-1]

    return asyncio.run(read())


def opens(password: str, stored_hash: str) -> bool:
    return asyncio.run(PASSWORDS.verify(password, stored_hash))[0]


def test_user_is_made_with_the_password_from_standard_input(database_url: str) -> None:
    result = portico(*ADA, "--name", "Ada", "--password-stdin", given=f"{PASSWORD}\nmore\n")

    assert (result.exit_code, result.stderr) == (0, "")
    ((user, stored_hash),), (entry,) = stored(database_url)
    assert result.stdout == f"{user.id}\n"
    assert (user.email, user.name, user.role) == ("ada@example.com", "Ada", "editor")
    assert opens(PASSWORD, stored_hash)
    assert (entry.actor, entry.action, entry.subject, entry.after) == (
        "cli",
        "user.register",
        user.id,
        {"role": "editor"},
    )


def test_without_a_terminal_a_password_is_made_and_shown_once_on_stderr(database_url: str) -> None:
    result = portico(*ADA, "--json")

    assert result.exit_code == 0
    ((user, stored_hash),), _ = stored(database_url)
    assert json.loads(result.stdout) == {
        "id": user.id,
        "email": "ada@example.com",
        "name": "Ada",
        "role": "editor",
    }
    shown = re.fullmatch(r"password: ([\w-]{24})\n", result.stderr)
    assert shown is not None
    assert opens(shown[1], stored_hash)


@pytest.mark.parametrize("role", ROLES)
def test_every_role_can_be_given(database_url: str, role: str) -> None:
    assert portico("users", "create", "ada@example.com", "--role", role).exit_code == 0

    ((user, _),), _ = stored(database_url)
    assert user.role == role


@pytest.mark.parametrize(
    ("arguments", "given", "line"),
    [
        (("ada", "--role", "admin"), PASSWORD, "portico: An email address must have an @-sign."),
        (
            ("a@example.com", "--role", "admin"),
            "short",
            "portico: a password has 8 to 128 characters, all of them text",
        ),
        (ADMIN, "", "portico: --password-stdin: there is no password on standard input"),
        (
            ("a@example.com", "--role", "admin", "--name", "x" * 201),
            PASSWORD,
            "portico: a name has 1 to 200 characters, all of them text",
        ),
    ],
)
def test_user_that_cannot_be_is_refused_in_one_line(
    database_url: str, arguments: tuple[str, ...], given: str, line: str
) -> None:
    result = portico("users", "create", *arguments, "--password-stdin", given=given)

    assert refused(result) == line
    assert stored(database_url) == ([], [])


def test_address_that_is_taken_is_refused_without_a_password(database_url: str) -> None:
    portico(*ADA)

    assert refused(portico(*ADA)) == "portico: there is an account with this address"
    assert len(stored(database_url)[0]) == 1


@pytest.mark.parametrize("arguments", [("users", "create", "a@example.com"), (*ADA[:3], "--role", "boss"), ("users",)])
def test_wrong_usage_exits_with_2(database_url: str, arguments: tuple[str, ...]) -> None:
    assert portico(*arguments).exit_code == 2
    assert stored(database_url) == ([], [])


class Terminal:
    """`users create` as somebody at a terminal sees it."""

    def __init__(self) -> None:
        self._end, other = pty.openpty()
        self.process = subprocess.Popen(
            (*PORTICO, *ADA), stdin=other, stdout=other, stderr=other, start_new_session=True, close_fds=True
        )
        os.close(other)
        self.shown = b""

    def answer(self, text: str) -> None:
        """When it asks: its question ends with a blank once nothing that is typed is shown."""
        asked = self.shown
        while not (self.shown != asked and self.shown.endswith(b": ")):
            assert self._read(), self.shown
        os.write(self._end, f"{text}\n".encode())

    def finish(self) -> int:
        while self._read():
            pass
        os.close(self._end)
        return self.process.wait(10)

    def _read(self) -> bool:
        """False when there is no more."""
        ready, _, _ = select_ready([self._end], [], [], 20)
        assert ready, self.shown
        try:
            chunk = os.read(self._end, 1024)
        except OSError:  # the other end is closed
            return False
        self.shown += chunk
        return bool(chunk)


def test_on_a_terminal_the_password_is_asked_twice_and_not_shown(database_url: str) -> None:
    terminal = Terminal()
    try:
        terminal.answer(PASSWORD)
        terminal.answer(PASSWORD)
        code = terminal.finish()
    finally:
        terminal.process.kill()

    shown = terminal.shown.decode()
    assert code == 0, shown
    ((user, stored_hash),), _ = stored(database_url)
    assert user.id in shown
    assert PASSWORD not in shown
    assert opens(PASSWORD, stored_hash)


def keys(url: str) -> list[Any]:
    async def read() -> list[Any]:
        database = Database(url)
        async with database.read() as session:
            found = list((await session.execute(select(ApiKeyRow.id, ApiKeyRow.user_id, ApiKeyRow.name))).all())
        await database.close()
        return found

    return asyncio.run(read())


def test_key_of_the_command_line_is_the_shops_own_and_in_the_audit_log(database_url: str) -> None:
    result = portico("keys", "create", "till", "--scopes", "orders:read,catalog:write", "--json")

    made = json.loads(result.stdout)
    assert keys(database_url) == [(made["id"], None, "till")]
    _, (entry,) = stored(database_url)
    assert (entry.actor, entry.action, entry.subject, entry.before) == ("cli", "api_key.create", made["id"], None)
    assert entry.after == {
        "name": "till",
        "scopes": ["catalog:write", "orders:read"],
        "user_id": None,
        "expires_at": None,
    }


def test_key_without_a_name_is_refused(database_url: str) -> None:
    result = portico("keys", "create", "", "--scopes", "orders:read")

    assert refused(result) == "portico: a name has 1 to 200 characters, all of them text"
    assert keys(database_url) == []
