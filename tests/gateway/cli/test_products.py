import asyncio
import json
import sys
from pathlib import Path
from subprocess import run

import pytest
from typer.testing import CliRunner, Result

from commerce.audit.log import AuditRepository
from core.database import Database
from gateway.cli.products import app
from tests.factories.transfers import a_row, shopify_csv

GOOD = shopify_csv(a_row("cap"), a_row("hat"))
MIXED = shopify_csv(a_row("cap"), a_row("x", **{"Variant Price": "-3"}), a_row("hat"))


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PORTICO_DATA_DIR", str(tmp_path / "var"))
    return tmp_path


def portico(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def test_import_says_what_became_of_the_file(data_dir: Path) -> None:
    file = data_dir / "shop.csv"
    file.write_bytes(GOOD)

    first = portico("import", str(file))
    second = portico("import", str(file))

    assert (first.exit_code, first.stdout, first.stderr) == (0, "created 2 updated 0 unchanged 0 failed 0\n", "")
    assert (second.exit_code, second.stdout) == (0, "created 0 updated 0 unchanged 2 failed 0\n")


async def test_import_is_in_the_audit_log_under_the_files_name(data_dir: Path) -> None:
    file = data_dir / "shop.csv"
    file.write_bytes(GOOD)

    await asyncio.to_thread(portico, "import", str(file))

    database = Database(f"sqlite+aiosqlite:///{data_dir / 'var' / 'portico.db'}")
    async with database.read() as session:
        entries, _ = await AuditRepository(session).newest()
    await database.close()
    assert [(entry.actor, entry.action, entry.subject) for entry in entries] == [("cli", "catalog.import", "shop.csv")]


def test_faults_stand_on_stderr_and_make_the_exit_code_1(data_dir: Path) -> None:
    file = data_dir / "shop.csv"
    file.write_bytes(MIXED)

    result = portico("import", str(file))

    assert result.exit_code == 1
    assert result.stdout == "created 2 updated 0 unchanged 0 failed 1\n"
    assert result.stderr == "line 3: product 'x': Variant Price: '-3' is negative\n"


def test_dry_run_imports_nothing(data_dir: Path) -> None:
    file = data_dir / "shop.csv"
    file.write_bytes(GOOD)

    tried = portico("import", str(file), "--dry-run")
    exported = portico("export", "--format", "jsonl")

    assert (tried.exit_code, tried.stdout) == (0, "created 2 updated 0 unchanged 0 failed 0\n")
    assert (exported.exit_code, exported.stdout) == (0, "")


def test_json_has_counts_and_errors(data_dir: Path) -> None:
    file = data_dir / "shop.csv"
    file.write_bytes(MIXED)

    result = portico("import", str(file), "--json")

    assert result.exit_code == 1
    message = "product 'x': Variant Price: '-3' is negative"
    assert json.loads(result.stdout) == {
        "created": 2,
        "updated": 0,
        "unchanged": 0,
        "failed": 1,
        "errors": [{"line": 3, "message": message}],
    }


def test_export_to_a_file_takes_its_format_from_the_name(data_dir: Path) -> None:
    (data_dir / "shop.csv").write_bytes(GOOD)
    portico("import", "shop.csv")

    to_json = portico("export", "out.jsonl")
    to_csv = portico("export", "out.csv")
    printed = portico("export")

    assert (to_json.exit_code, to_json.stdout, to_csv.exit_code) == (0, "", 0)
    assert [json.loads(line)["handle"] for line in (data_dir / "out.jsonl").read_text().splitlines()] == ["cap", "hat"]
    assert (data_dir / "out.csv").read_bytes() == printed.stdout_bytes
    assert sorted(path.name for path in data_dir.iterdir()) == ["out.csv", "out.jsonl", "shop.csv", "var"]
    assert portico("import", "out.csv").stdout == "created 0 updated 0 unchanged 2 failed 0\n"


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("missing.csv", None, "portico: missing.csv: No such file or directory\n"),
        ("shop.xlsx", b"PK", "portico: shop.xlsx: neither a .csv nor a .jsonl file\n"),
        ("shop.csv", b"\xff\xfeH\0", "portico: the file is UTF-16; save it as UTF-8\n"),
        ("var.csv/", b"", "portico: var.csv: Is a directory\n"),
    ],
)
def test_file_that_cannot_be_imported_is_refused_in_one_line(
    data_dir: Path, name: str, content: bytes | None, told: str
) -> None:
    path = data_dir / name.rstrip("/")
    if name.endswith("/"):
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)

    result = portico("import", path.name)

    assert (result.exit_code, result.stdout, result.stderr) == (1, "", told)


def test_wrong_usage_is_exit_code_2() -> None:
    assert portico("import").exit_code == 2
    assert portico("export", "--format", "xml").exit_code == 2


def test_bad_setting_is_refused_in_one_line(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (data_dir / "shop.csv").write_bytes(GOOD)
    monkeypatch.setenv("PORTICO_CURENCY", "EUR")

    result = portico("import", "shop.csv")

    assert result.exit_code == 1
    assert result.stderr == "portico: PORTICO_CURENCY is not a setting; did you mean PORTICO_CURRENCY?\n"


def test_shared_database_behind_its_schema_is_refused(
    data_dir: Path, empty_postgres_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (data_dir / "shop.csv").write_bytes(GOOD)
    monkeypatch.setenv("PORTICO_DATABASE_URL", empty_postgres_database_url)
    monkeypatch.setenv("PORTICO_SECRET_KEY", "a secret for tests alone")

    result = portico("import", "shop.csv")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "portico: the database's schema is not current; run `portico db upgrade` first\n"


def test_file_cannot_steer_the_terminal(data_dir: Path) -> None:
    (data_dir / "shop.csv").write_bytes(b"Handle,Title,Bad\x1b[2J\nx,X,\xff\n")

    result = portico("import", "shop.csv")

    assert result.stderr == "line 2: column Bad\\x1b[2J is not UTF-8 (byte 0xFF)\n"


def test_command_loads_no_web_framework() -> None:
    code = "import sys, commerce.catalog.transfer.importer, commerce.catalog.transfer.exporter, gateway.cli.products;"
    code += "print(sorted({'fastapi', 'starlette', 'strawberry'} & set(sys.modules)))"

    folder = Path(__file__).parents[3]
    result = run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=folder)

    assert result.stdout == "[]\n"
