"""`portico serve` as a person runs it."""

import shutil
import signal
import socket
import sys
from pathlib import Path

import httpx2
import pytest

from tests.fixtures.processes import PORTICO, Process, StartProcess, impatient

READY = r"Portico is ready: (http://127\.0\.0\.1:\d+)"
KEY = r"API key (ptk_\w+)"
LOGIN = r"admin login (\S+) with the password (\S+)"
SMALLEST = {"title": "Thing", "variants": [{"price": {"amount": 100}}]}
BROKEN = """
import sys
from contextlib import asynccontextmanager

import gateway.main
from gateway.app import create_app
from gateway.cli import main

@asynccontextmanager
async def open_nothing(settings):
    raise RuntimeError("the disk is gone")
    yield

gateway.main.app = create_app(gateway.main.settings, open_nothing)
sys.argv = ["portico", "serve", "--port", "0"]
main()
"""
WHEN_READY = """
import gc
import sys

import gateway.cli.serve
from gateway.cli import main

def tell(*_):
    late = {"PIL", "aiosmtplib", "alembic", "asyncpg", "cashews", "dbos", "mako", "nh3", "numpy", "obstore", "psycopg"}
    late |= {"tokenizers", "wordllama"}
    heavy = late & sys.modules.keys()
    collects = f"collects {gc.isenabled()} from {gc.get_threshold()[0]}"
    print("loaded", sorted(heavy), collects, "keeps", gc.get_freeze_count() > 100_000, flush=True)

gateway.cli.serve._greet = tell
sys.argv = ["portico", "serve", "--port", "0"]
main()
"""
IMPATIENT = impatient("from gateway.cli import main; main()")


def address_of(process: Process) -> str:
    return process.until(READY)[1]


def write_product(address: str, key: str) -> httpx2.Response:
    return httpx2.post(f"{address}/public/v1/products", json=SMALLEST, headers={"Authorization": f"Bearer {key}"})


def total(address: str) -> int:
    return int(httpx2.get(f"{address}/public/v1/products").json()["total"])


def test_first_demo_start_prints_a_login_and_a_key_and_fills_the_catalogue_and_the_second_does_neither(
    start: StartProcess,
) -> None:
    first = start(*PORTICO, "serve", "--demo", "--port", "0")
    address = address_of(first)
    key = first.until(KEY)[1]
    email, password = first.until(LOGIN).groups()
    form = {"username": email, "password": password}
    signed_in = [
        httpx2.post(f"{address}{path}", data=form).status_code
        for path in ("/public/v1/auth/token", "/internal/auth/token")
    ]
    seeded = total(address)
    written = write_product(address, key)
    pages = [
        httpx2.get(f"{address}{path}", headers={"Accept": "text/html"}).status_code
        for path in ("/public/docs", "/graphql")
    ]
    first.send(signal.SIGTERM)
    assert first.wait(10) == 0, first.story

    second = start(*PORTICO, "serve", "--demo", "--port", "0")
    again = total(address_of(second))

    assert email == "admin@example.com"
    assert signed_in == [200, 200]
    assert first.stdout.count("ptk_") == first.stdout.count(password) == 1
    assert all(f"{address}{path}" in first.stdout for path in ("/public/docs", "/graphql", "/internal/health"))
    assert pages == [200, 200]
    assert seeded >= 60
    assert written.status_code == 201
    assert [secret for secret in ("ptk_", "admin@", "password") if secret in second.stdout + second.stderr] == []
    assert again == seeded + 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_drains_and_exits_with_0(start: StartProcess, number: signal.Signals) -> None:
    process = start(*PORTICO, "serve", "--port", "0")
    address = address_of(process)
    with httpx2.Client() as client:
        assert client.get(f"{address}/readyz").status_code == 200  # and its connection stays open

        process.send(number)
        code = process.wait(10)

    assert code == 0, process.story
    assert process.stderr.count("Application shutdown complete.") == 1, process.story
    assert "Traceback" not in process.stderr, process.story


def test_port_in_use_is_refused_in_one_line(start: StartProcess) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = start(*PORTICO, "serve", "--port", str(port))
        code = process.wait(15)

    assert code == 1, process.story
    assert process.stderr.count("\n") == 1, process.story
    assert process.stderr.startswith(f"portico: cannot listen on 127.0.0.1:{port}: "), process.story
    assert process.stdout == ""


def test_unknown_setting_is_refused_in_one_line_with_a_suggestion(start: StartProcess) -> None:
    process = start(*PORTICO, "serve", "--port", "0", PORTICO_DATA_DIRR="x")

    assert process.wait(15) == 1, process.story
    assert process.stderr == "portico: PORTICO_DATA_DIRR is not a setting; did you mean PORTICO_DATA_DIR?\n"


def test_data_dir_that_is_a_file_is_refused_in_one_line(start: StartProcess, tmp_path: Path) -> None:
    (tmp_path / "a-file").touch()
    process = start(*PORTICO, "serve", "--port", "0", PORTICO_DATA_DIR=str(tmp_path / "a-file"))

    assert process.wait(15) == 1, process.story
    assert process.stderr.count("\n") == 1, process.story
    assert process.stderr.startswith("portico: "), process.story
    assert "a-file" in process.stderr


def test_resource_that_does_not_open_at_the_start_is_exit_code_1(start: StartProcess) -> None:
    process = start(sys.executable, "-c", BROKEN)

    assert process.wait(15) == 1, process.story
    assert "the disk is gone" in process.stderr, process.story
    assert process.stderr.endswith("portico: the gateway did not start; the log above says why\n"), process.story


def test_second_server_over_one_data_dir_waits_and_is_refused_in_one_line(start: StartProcess) -> None:
    first = start(*PORTICO, "serve", "--port", "0")
    address = address_of(first)

    second = start(*IMPATIENT, "serve", "--port", "0")

    assert second.wait(15) == 1, second.story
    waiting, refused = second.stderr.splitlines()
    assert waiting.startswith("portico: waiting for the server")
    assert refused.startswith(f"portico: another server (process {first.pid}) works on")
    assert httpx2.get(f"{address}/readyz").status_code == 200


def test_second_server_starts_when_the_first_has_drained(start: StartProcess) -> None:
    first = start(*PORTICO, "serve", "--port", "0")
    address_of(first)
    second = start(*PORTICO, "serve", "--port", "0")
    second.until("waiting for the server")

    first.send(signal.SIGTERM)

    assert httpx2.get(f"{address_of(second)}/readyz").status_code == 200
    assert first.wait(10) == 0, first.story


def test_killed_server_starts_again_at_once_with_its_data(start: StartProcess) -> None:
    first = start(*PORTICO, "serve", "--demo", "--port", "0")
    address = address_of(first)
    key = first.until(KEY)[1]
    written = write_product(address, key)
    assert written.status_code == 201
    first.send(signal.SIGKILL)
    assert first.wait(5) == -signal.SIGKILL

    second = start(*PORTICO, "serve", "--port", "0")
    found = httpx2.get(f"{address_of(second)}/public/v1/products/{written.json()['id']}")

    assert found.status_code == 200
    assert found.json()["title"] == "Thing"
    assert "waiting" not in second.stderr


def test_key_made_beside_a_running_server_works_at_once(start: StartProcess) -> None:
    server = start(*PORTICO, "serve", "--port", "0")
    address = address_of(server)

    command = start(*PORTICO, "keys", "create", "shop", "--scopes", "catalog:write")
    code = command.wait(15)
    response = write_product(address, command.stdout.strip())

    assert code == 0, command.story
    assert response.status_code == 201
    assert server.running


def test_server_over_a_current_schema_is_ready_before_what_is_heavy_is_loaded(
    start: StartProcess, tmp_path: Path, sqlite_template: Path
) -> None:
    (tmp_path / "var").mkdir()
    shutil.copyfile(sqlite_template, tmp_path / "var" / "portico.db")

    server = start(sys.executable, "-c", WHEN_READY)

    assert server.until(r"loaded .*")[0] == "loaded [] collects True from 5000 keeps True"


def test_help_loads_no_web_framework(start: StartProcess) -> None:
    process = start(sys.executable, "-X", "importtime", *PORTICO, "--help")

    assert process.wait(15) == 0, process.story
    loaded = {line.rpartition("|")[2].strip() for line in process.stderr.splitlines()}
    assert "gateway.cli" in loaded
    assert loaded.isdisjoint({"fastapi", "starlette", "uvicorn", "strawberry", "alembic"})
