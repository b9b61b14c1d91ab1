"""`portico operations`: manifests in, modes set, and what is told of both; on each kind of database."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from commerce.audit.log import AuditRepository
from commerce.operations.entities import Policy, RegisteredClient
from commerce.operations.repository import OperationRepository
from core.database import Database
from tests.factories.operations import apollo, relay, sha
from tests.gateway.cli.running import CLOSED, portico, refused, use

LIST = """query ProductList($first: Int) {
  products(first: $first) { nodes { ...Card } }
}
fragment Card on Product { title }"""
MENU = "query Menu { categories { name } }"
WEB = ("--client", "web", "--version", "1.4.0")


@pytest.fixture(autouse=True)
def database_url(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Migrated; as the commands find it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PORTICO_DATA_DIR", str(tmp_path / "var"))
    return use(database_url, monkeypatch)


def register(manifest: bytes, *options: str) -> Result:
    Path("manifest.json").write_bytes(manifest)
    return portico("operations", "register", "manifest.json", *(options or WEB))


def clients(url: str) -> list[RegisteredClient]:
    async def read() -> list[RegisteredClient]:
        database = Database(url)
        async with database.read() as session:
            found = await OperationRepository(session).registered_clients()
        await database.close()
        return found

    return asyncio.run(read())


def audited(url: str) -> list[tuple[str, str, str]]:
    async def read() -> list[tuple[str, str, str]]:
        database = Database(url)
        async with database.read() as session:
            entries, _ = await AuditRepository(session).newest()
        await database.close()
        return [(entry.actor, entry.action, entry.subject) for entry in reversed(entries)]

    return asyncio.run(read())


def listed(*options: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(portico("operations", "list", "--json", *options).stdout)
    return found


@pytest.mark.parametrize("manifest", [apollo(LIST, MENU), relay(LIST, MENU)])
def test_manifest_is_registered_once(manifest: bytes, database_url: str) -> None:
    first, again = register(manifest), register(manifest)

    assert (first.exit_code, first.stdout) == (0, "registered 2 new, 0 known\n")
    assert (again.exit_code, again.stdout) == (0, "registered 0 new, 2 known\n")
    assert clients(database_url)[1] == RegisteredClient(
        "web", "off", automatic=False, versions=("1.4.0",), operations=2
    )
    assert audited(database_url) == [("cli", "operations.register", "web")]


def test_one_bad_operation_keeps_all_out(database_url: str) -> None:
    manifest = json.loads(
        apollo(
            MENU,
            "query A { nowhere }",
            "query B { products { nodes { ...Gone } } }",
            "query C { x",
            "query D { products(first: 101) { nodes { id } } }",
            "query E { products(first: 100) { nodes { variants { product { variants { product { ...I } } } } } } }"
            " fragment I on Product { images { id } }",
        )
    )
    manifest["operations"][0]["id"] = "0" * 64

    result = register(json.dumps(manifest).encode())

    assert (result.exit_code, result.stdout) == (1, "")
    *faults, last = result.stderr.splitlines()
    assert faults == [
        f"manifest.json: /operations/0 (Menu) its id is not the SHA-256 hash of its text, {sha(MENU)}",
        "manifest.json: /operations/1 (A) Cannot query field 'nowhere' on type 'Query'. (line 1, column 11)",
        "manifest.json: /operations/2 (B) Unknown fragment 'Gone'. (line 1, column 33)",
        "manifest.json: /operations/3 (C) Syntax Error: Expected Name, found <EOF>. (line 1, column 12)",
        "manifest.json: /operations/4 (D) first is 101; it goes from 1 to 100",
        "manifest.json: /operations/5 (E) it costs 18601 points; at most 10000 are allowed",
    ]
    assert last == "portico: manifest.json: nothing was registered; 6 of its entries cannot be registered"
    assert [each.name for each in clients(database_url)] == ["*"]
    assert audited(database_url) == []


@pytest.mark.parametrize(
    ("manifest", "told"),
    [
        (relay(MENU, old=True), 'set "algorithm": "SHA256" in the persistConfig of relay-compiler'),
        (
            relay("query A { me { id } } query B { x }"),
            "it has 2 operations, where one is registered at a time",
        ),
        (relay("fragment F on Product { id }"), "it has 0 operations, where one is registered at a time"),
        (b"{", "it is not JSON"),
    ],
)
def test_what_is_wrong_is_told(manifest: bytes, told: str, database_url: str) -> None:
    result = register(manifest)

    assert result.exit_code == 1
    assert told in result.stderr
    assert [each.name for each in clients(database_url)] == ["*"]


def test_file_that_is_not_there_is_refused_in_one_line() -> None:
    result = portico("operations", "register", "nothing.json", *WEB)

    assert refused(result) == "portico: nothing.json: No such file or directory"


def test_name_that_no_header_says_is_refused() -> None:
    result = register(apollo(MENU), "--client", "we\tb", "--version", "1")

    assert refused(result) == "portico: 'we\\tb' is no name of a client"


@pytest.mark.parametrize(
    "arguments",
    [
        ("register", "manifest.json"),
        ("register", "manifest.json", "--client", "web"),
        ("mode", "web", "strict"),
        ("mode", "web"),
        ("automatic", "web", "maybe"),
        ("forget", "web"),
        ("list", "--unused-days", "-1"),
    ],
)
def test_wrong_usage_is_2(arguments: tuple[str, ...]) -> None:
    assert portico("operations", *arguments).exit_code == 2


def test_mode_and_automatic_are_set(database_url: str) -> None:
    told = [
        portico("operations", *arguments).stdout
        for arguments in (("mode", "web", "enforce"), ("automatic", "web", "on"), ("mode", "*", "log"))
    ]

    assert told == ["web: mode enforce\n", "web: automatic on\n", "*: mode log\n"]
    found = {each.name: Policy(each.name, each.mode, each.automatic) for each in clients(database_url)}
    assert found == {"web": Policy("web", "enforce", automatic=True), "*": Policy("*", "log")}
    assert portico("operations", "automatic", "web", "off").stdout == "web: automatic off\n"


def test_list_tells_what_is_registered() -> None:
    register(apollo(LIST, MENU))
    register(apollo(MENU), "--client", "ios", "--version", "7")

    assert [(each["sha256"], each["name"], each["kind"], each["uses"], each["last_used_at"]) for each in listed()] == [
        (sha(MENU), "Menu", "query", 0, None),
        (sha(LIST), "ProductList", "query", 0, None),
    ]
    assert [each["name"] for each in listed("--client", "ios", "--unused-days", "30")] == ["Menu"]
    shown = portico("operations", "list").stdout.splitlines()
    assert shown[0] == f"{sha(MENU)[:12]}  query         Menu  [ios 7, web 1.4.0]  never used"


def test_forgotten_version_is_gone(database_url: str) -> None:
    register(apollo(LIST, MENU))

    result = portico("operations", "forget", "web", "--version", "1.4.0")
    again = portico("operations", "forget", "web", "--version", "1.4.0")

    assert (result.exit_code, result.stdout) == (0, "forgot 2 operations of web 1.4.0\n")
    assert refused(again) == "portico: client 'web' has registered nothing as version '1.4.0'"
    assert listed() == []
    assert clients(database_url)[1].operations == 0


def test_database_that_is_away_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    use(CLOSED, monkeypatch)

    assert "sesame" not in refused(portico("operations", "mode", "web", "log"))


def test_help_teaches() -> None:
    told = portico("operations", "register", "--help").stdout

    assert "generate-persisted-query-manifest" in told
    assert "persistConfig" in told
