"""The commands beside `serve` and `products`: what they print, what they refuse, and their exit codes."""

import asyncio
import json
import subprocess
import sys
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path

import pytest
import typer
from sqlalchemy import select, text

from commerce.accounts.authentication import authenticate
from commerce.accounts.models import ApiKeyRow
from commerce.accounts.principal import SCOPES
from commerce.schema import migrations
from core.clock import SystemClock
from core.database import Database
from gateway.cli import app
from tests.gateway.cli.running import CLOSED, portico, refused, use

CONTRACTS = {"asyncapi.json", "openapi-v1.json", "openapi-v2.json", "schema.graphql"}


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PORTICO_DATA_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path / "var"


def paths(group: typer.core.TyperGroup | typer.core.TyperCommand, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = [path]
    for name, command in getattr(group, "commands", {}).items():
        found += paths(command, (*path, name))
    return found


COMMANDS = paths(typer.main.get_command(app))  # type: ignore[arg-type]


def test_commands_are_known() -> None:
    assert {" ".join(path) for path in COMMANDS} >= {
        *("serve", "db upgrade", "db current", "db check", "keys create", "products import", "products export"),
        *("contracts", "doctor"),
    }


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: " ".join(path) or "portico")
def test_help_of_every_command_says_what_it_does_and_how(path: tuple[str, ...]) -> None:
    result = portico(*path, "--help")

    command = typer.main.get_command(app)
    for name in path:
        command = command.commands[name]  # type: ignore[attr-defined]
    assert (result.exit_code, result.stderr) == (0, "")
    assert f"Usage: portico {' '.join(path)}".rstrip() in result.stdout.replace("root ", "portico ", 1)
    said = " ".join(result.stdout.split())
    assert command.help
    assert " ".join(command.help.split())[:60] in said
    undescribed = [
        parameter.name
        for parameter in command.params
        if not getattr(parameter, "help", None) and parameter.name not in ("file", "folder")
    ]
    assert undescribed == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("serve", "--port", "70000"),
        ("serve", "--nonsense"),
        ("worker", "--metrics", "here:there"),
        ("db", "nonsense"),
        ("keys", "create", "shop"),
        ("keys", "create", "shop", "--scopes", "catalog:write", "--expires-days", "0"),
        ("contracts",),
        ("products", "export", "--format", "xml"),
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_with_2(arguments: tuple[str, ...], data_dir: Path) -> None:
    result = portico(*arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert "Usage: " in result.stderr
    assert not data_dir.exists()


@pytest.fixture
def empty(empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The empty database of each kind, as the commands find it."""
    return use(empty_database_url, monkeypatch)


@pytest.mark.usefixtures("empty")
def test_db_commands_on_an_empty_database_and_after_the_upgrade() -> None:
    head = migrations().head()

    empty_current = portico("db", "current")
    empty_json = portico("db", "current", "--json")
    empty_check = portico("db", "check")
    upgraded = portico("db", "upgrade")
    again = portico("db", "upgrade")
    current = portico("db", "current")
    current_json = portico("db", "current", "--json")
    check = portico("db", "check")

    assert (empty_current.exit_code, empty_current.stdout) == (0, "empty\n")
    assert json.loads(empty_json.stdout) == {"current": None, "head": head}
    assert refused(empty_check) == (
        f"portico: the schema is at nothing, this program needs {head}: run `portico db upgrade`"
    )
    assert (upgraded.exit_code, upgraded.stdout) == (0, "upgraded\n"), upgraded.output
    assert (again.exit_code, again.stdout) == (0, "already current\n")
    assert (current.exit_code, current.stdout) == (0, f"{head}\n")
    assert json.loads(current_json.stdout) == {"current": head, "head": head}
    assert (check.exit_code, check.stdout) == (0, f"current: {head}\n")


@pytest.mark.parametrize("change", ["DELETE FROM job_engine", "UPDATE job_engine SET version = '0.1'"])
def test_check_names_the_tables_of_jobs_that_are_missing_or_of_another_version(
    postgres_database_url: str, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    use(postgres_database_url, monkeypatch)

    async def spoil() -> None:
        database = Database(postgres_database_url)
        async with database.write() as session:
            await session.execute(text(change))
        await database.close()

    asyncio.run(spoil())
    line, doctor = refused(portico("db", "check")), portico("doctor")
    upgraded = portico("db", "upgrade")

    found = "nothing" if change.startswith("DELETE") else "0.1"
    behind = f"the tables of jobs are of DBOS {found}, this program needs {version('dbos')}: run `portico db upgrade`"
    assert line == f"portico: {behind}"
    assert behind in doctor.stdout
    assert doctor.exit_code == 1
    assert (upgraded.exit_code, portico("db", "check").exit_code) == (0, 0)


@pytest.mark.parametrize(
    "command", [("db", "upgrade"), ("db", "check"), ("keys", "create", "a", "--scopes", SCOPES[0])]
)
def test_database_that_is_away_is_refused_in_one_line(
    command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    use(CLOSED, monkeypatch)

    line = refused(portico(*command))

    assert "sesame-4711" not in line


@pytest.mark.parametrize("command", [("db", "upgrade"), ("keys", "create", "a", "--scopes", SCOPES[0])])
def test_data_dir_that_is_a_file_is_refused_in_one_line(
    command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a-file").touch()
    monkeypatch.setenv("PORTICO_DATA_DIR", str(tmp_path / "a-file"))

    assert "a-file" in refused(portico(*command))


def stored_keys(url: str) -> list[ApiKeyRow]:
    async def read() -> list[ApiKeyRow]:
        database = Database(url)
        async with database.read() as session:
            rows = list(await session.scalars(select(ApiKeyRow)))
        await database.close()
        return rows

    return asyncio.run(read())


def scopes_of(url: str, secret: str) -> frozenset[str]:
    """What a server would let the holder of the secret do."""

    async def sign_in() -> frozenset[str]:
        database = Database(url)
        async with database.read() as session:
            principal, _ = await authenticate(session, secret, SystemClock().now())
        await database.close()
        return frozenset(principal.scopes)

    return asyncio.run(sign_in())


def test_key_is_printed_alone_and_only_its_hash_is_stored(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use(database_url, monkeypatch)

    result = portico("keys", "create", "shop", "--scopes", f" {SCOPES[0]} ,")

    assert (result.exit_code, result.stderr) == (0, ""), result.output
    secret = result.stdout.removesuffix("\n")
    assert secret.startswith("ptk_")
    assert len(secret.split()) == 1
    (row,) = stored_keys(database_url)
    assert (row.name, row.scopes, row.expires_at) == ("shop", [SCOPES[0]], None)
    assert len(row.secret_hash) == 32
    assert scopes_of(database_url, secret) == {SCOPES[0]}


def test_secret_is_in_no_file_of_the_data_dir(data_dir: Path) -> None:
    secret = portico("keys", "create", "shop", "--scopes", SCOPES[0]).stdout.strip()

    files = [path for path in data_dir.rglob("*") if path.is_file()]
    assert data_dir / "portico.db" in files
    assert [path for path in files if secret.rpartition("_")[2].encode() in path.read_bytes()] == []


def test_key_may_expire_and_be_printed_as_json(data_dir: Path) -> None:
    result = portico("keys", "create", "shop", "--scopes", ",".join(SCOPES), "--expires-days", "30", "--json")

    made = json.loads(result.stdout)
    assert made.keys() == {"id", "secret"}
    (row,) = stored_keys(f"sqlite+aiosqlite:///{data_dir / 'portico.db'}")
    assert row.id == made["id"]
    assert row.scopes == sorted(SCOPES)
    assert row.expires_at is not None
    assert row.expires_at - row.created_at == timedelta(days=30)


def test_unknown_scope_is_refused_and_no_key_is_made(data_dir: Path) -> None:
    line = refused(portico("keys", "create", "shop", "--scopes", "catalog:write,everything"))

    assert line == f"portico: 'everything' is not a scope; there are {', '.join(SCOPES)}"
    assert stored_keys(f"sqlite+aiosqlite:///{data_dir / 'portico.db'}") == []


def test_key_without_any_scope_is_refused() -> None:
    assert "scope" in refused(portico("keys", "create", "shop", "--scopes", " , "))


def test_key_is_refused_where_a_shared_schema_is_behind(empty: str) -> None:
    result = portico("keys", "create", "shop", "--scopes", SCOPES[0])

    if empty.startswith("sqlite"):  # embedded mode brings it there itself
        assert result.exit_code == 0
    else:
        assert refused(result) == "portico: the database's schema is not current; run `portico db upgrade` first"


def test_contracts_are_written_and_checked(tmp_path: Path) -> None:
    folder = tmp_path / "made" / "contracts"

    written = portico("contracts", str(folder))
    again = portico("contracts", str(folder))
    equal = portico("contracts", "--check", str(folder))

    assert (written.exit_code, written.stdout) == (0, f"4 of 4 files written to {folder}\n")
    assert {path.name for path in folder.iterdir()} == CONTRACTS
    assert json.loads((folder / "openapi-v2.json").read_text())["openapi"].startswith("3.1")
    assert "type Query" in (folder / "schema.graphql").read_text()
    assert again.stdout == f"0 of 4 files written to {folder}\n"
    assert (equal.exit_code, equal.output) == (0, "")


def test_contracts_check_names_what_drifted_and_writes_nothing(tmp_path: Path) -> None:
    portico("contracts", str(tmp_path))
    drifted = tmp_path / "schema.graphql"
    drifted.write_text("type Query { nothing: Int }\n")
    (tmp_path / "openapi-v1.json").unlink()

    checked = portico("contracts", "--check", str(tmp_path))

    assert checked.exit_code == 1
    assert checked.stdout.startswith("breaking: Field Query.nothing was removed.\n")
    assert checked.stderr.startswith(f"portico: openapi-v1.json, schema.graphql in {tmp_path} differ from the code")
    assert drifted.read_text() == "type Query { nothing: Int }\n"
    assert not (tmp_path / "openapi-v1.json").exists()


def test_refusal_is_the_last_line_after_all_that_was_logged() -> None:
    program = """
import logging
from core.logging import configure_logging
from gateway.cli.console import refuse
configure_logging()
for number in range(2000):
    logging.getLogger("gunicorn.error").error("reason %d", number)
refuse("it did not start")
"""

    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=30)

    lines = finished.stderr.splitlines()
    refusal = lines.index("portico: it did not start")
    assert sum("reason" in line for line in lines[:refusal]) == 2000
    assert not any("reason" in line for line in lines[refusal:])
