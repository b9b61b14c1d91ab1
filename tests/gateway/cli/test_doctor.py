"""`portico doctor`: what it asks, what it says of it, and what it keeps to itself."""

import asyncio
import json
import socket
from importlib.metadata import version
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink

from tests.factories.carriers import a_carrier
from tests.factories.model_servers import a_model_server
from tests.fixtures.processes import PORTICO, StartProcess
from tests.gateway.cli.running import CLOSED, portico, refused, use


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PORTICO_DATA_DIR", str(tmp_path / "var"))
    return tmp_path / "var"


def test_doctor_says_what_is_fine_line_by_line(
    database_url: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(database_url, monkeypatch)
    monkeypatch.setenv("PORTICO_METRICS_TOKEN", "sesame-4711")

    result = portico("doctor")
    as_json = json.loads(portico("doctor", "--json").stdout)

    assert (result.exit_code, result.stderr) == (0, ""), result.output
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["ok"] * 7
    names = ["configuration", "data dir", "database", "schema", "jobs", "objects", "mail"]
    assert [check["name"] for check in as_json] == names
    assert [check["ok"] for check in as_json] == [True] * 7
    assert [check["name"] in line for check, line in zip(as_json, lines, strict=True)] == [True] * 7
    assert f"DBOS {version('dbos')}, 0 workers running" in lines[4]
    assert f"file://{data_dir / 'objects'}" in lines[5]
    assert f"files in {data_dir / 'outbox'}" in lines[6]
    assert [path for folder in ("objects", "outbox") for path in (data_dir / folder).rglob("*") if path.is_file()] == []
    assert ("embedded" in lines[0]) == database_url.startswith("sqlite")
    assert "sesame-4711" not in result.output
    assert "k" * 32 not in result.output


def test_doctor_names_the_broken_database_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    use(CLOSED, monkeypatch)

    result = portico("doctor")
    as_json = portico("doctor", "--json")

    assert result.exit_code == as_json.exit_code == 1
    found = {check["name"]: check["ok"] for check in json.loads(as_json.stdout)}
    assert [name for name, ok in found.items() if not ok] == ["database", "schema", "jobs"]
    assert [line[:4].strip() for line in result.stdout.splitlines()] == ["ok"] * 2 + ["FAIL"] * 3 + ["ok"] * 2
    assert "sesame-4711" not in result.output + as_json.output


def test_doctor_asks_redis_where_there_is_one(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    portico("db", "upgrade")
    monkeypatch.setenv("PORTICO_REDIS_URL", redis_url)
    fine = portico("doctor")
    monkeypatch.setenv("PORTICO_REDIS_URL", "redis://:sesame-4711@127.0.0.1:1")
    away = portico("doctor")

    assert (fine.exit_code, away.exit_code) == (0, 1)
    assert fine.stdout.splitlines()[-1].split() == ["ok", "redis"]
    assert away.stdout.splitlines()[-1].startswith("FAIL  redis")
    assert "Redis does not answer" in away.stdout
    assert "sesame-4711" not in away.output


def test_doctor_connects_to_who_takes_traces(sqlite_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use(sqlite_database_url, monkeypatch)
    with socket.create_server(("127.0.0.1", 0)) as collector:
        where = f"127.0.0.1:{collector.getsockname()[1]}"
        monkeypatch.setenv("PORTICO_OTLP_ENDPOINT", f"http://{where}/sesame-4711")
        there = portico("doctor")
    away = portico("doctor")

    assert (there.exit_code, away.exit_code) == (0, 1)
    assert there.stdout.splitlines()[-1].split() == ["ok", "traces", where]
    assert away.stdout.splitlines()[-1].startswith(f"FAIL  traces         nobody takes them at {where}: ")
    assert "sesame-4711" not in there.output + away.output


def test_doctor_names_the_schema_that_is_behind(empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use(empty_database_url, monkeypatch)

    result = portico("doctor")

    assert result.exit_code == 1
    assert [line[:4].strip() for line in result.stdout.splitlines()] == ["ok"] * 3 + ["FAIL"] * 2 + ["ok"] * 2
    assert "run `portico db upgrade`" in result.stdout


def test_doctor_reports_a_data_dir_that_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a-file").touch()
    monkeypatch.setenv("PORTICO_DATA_DIR", str(tmp_path / "a-file" / "var"))

    result = portico("doctor")

    assert result.exit_code == 1
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert [line[:4].strip() for line in result.stdout.splitlines()] == ["ok"] + ["FAIL"] * 6, result.output


def test_doctor_names_the_mail_server_and_the_file_store_that_are_away_and_no_secret(
    sqlite_database_url: str, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(sqlite_database_url, monkeypatch)
    monkeypatch.setenv("PORTICO_SMTP_URL", f"smtp://shop:sesame-4711@127.0.0.1:{free_port}")
    monkeypatch.setenv("PORTICO_OBJECTS_URL", "s3://bucket")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.setenv(name, "sesame-4711")

    result = portico("doctor")

    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert [line[:4].strip() for line in lines] == ["ok"] * 5 + ["FAIL"] * 2
    assert "File store unavailable" in lines[5]
    assert f"127.0.0.1:{free_port} does not answer" in lines[6]
    assert "sesame-4711" not in result.output


async def test_doctor_asks_the_mail_server_and_counts_the_workers(
    start: StartProcess, free_port: int, postgres_database_url: str
) -> None:
    shared = {"PORTICO_DATABASE_URL": postgres_database_url, "PORTICO_SECRET_KEY": "k" * 32}
    for _ in range(2):
        await asyncio.to_thread(start(*PORTICO, "worker", **shared).until, "works on jobs")
    server = Controller(Sink(), hostname="127.0.0.1", port=free_port)
    server.start()

    doctor = start(*PORTICO, "doctor", **shared, PORTICO_SMTP_URL=f"smtp://127.0.0.1:{free_port}")
    code = await asyncio.to_thread(doctor.wait, 30)
    server.stop()

    assert code == 0, doctor.story
    assert "2 workers running" in doctor.stdout
    assert f"ok    mail           127.0.0.1:{free_port}" in doctor.stdout


async def test_doctor_lists_each_carrier_and_asks_it_nothing(
    sqlite_database_url: str, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(sqlite_database_url, monkeypatch)
    async with a_carrier() as carrier:
        addresses = {
            "near": f"http://127.0.0.1:{carrier.port}/quotes?key=sesame-4711",
            "gone": f"http://127.0.0.1:{free_port}/?key=sesame-4711",
            "no TLS": f"https://127.0.0.1:{carrier.port}/",
        }
        carriers = [{"name": name, "url": url, "headers": {"X-Key": "sesame-4711"}} for name, url in addresses.items()]
        monkeypatch.setenv("PORTICO_CARRIERS", json.dumps(carriers))

        result = await asyncio.to_thread(portico, "doctor")

    assert result.exit_code == 1
    near, gone, no_tls = result.stdout.splitlines()[-3:]
    assert near == (
        f"ok    carrier near   127.0.0.1:{carrier.port} connects; "
        "left alone by a process of the gateway while portico_upstream_breaker is 2"
    )
    assert gone.startswith(f"FAIL  carrier gone   127.0.0.1:{free_port} does not answer: ConnectError; quotes go on")
    assert no_tls.startswith("FAIL  carrier no TLS")
    assert carrier.asked == []
    assert "sesame-4711" not in result.output


async def test_doctor_says_which_carrier_is_on_a_network_of_our_own(
    sqlite_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(sqlite_database_url, monkeypatch)
    monkeypatch.setenv("PORTICO_ENVIRONMENT", "production")
    async with a_carrier() as carrier:
        monkeypatch.setenv("PORTICO_CARRIERS", json.dumps([{"name": "ours", "url": carrier.url}]))
        refused = await asyncio.to_thread(portico, "doctor")
        own = [{"name": "ours", "url": carrier.url, "own_network": True}]
        monkeypatch.setenv("PORTICO_CARRIERS", json.dumps(own))
        meant = await asyncio.to_thread(portico, "doctor")

    assert (refused.exit_code, meant.exit_code) == (1, 0), meant.output
    assert "127.0.0.1: it leads to an address that is not public" in refused.stdout


async def test_doctor_reaches_the_proxy_that_carriers_are_behind(
    sqlite_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(sqlite_database_url, monkeypatch)
    async with a_carrier() as proxy:
        monkeypatch.setenv("PORTICO_UPSTREAM_PROXY", f"http://shop:sesame-4711@127.0.0.1:{proxy.port}")
        monkeypatch.setenv("PORTICO_CARRIERS", json.dumps([{"name": "far", "url": "https://carrier.invalid/"}]))

        result = await asyncio.to_thread(portico, "doctor")

    assert result.exit_code == 0, result.output
    assert f"127.0.0.1:{proxy.port} connects" in result.stdout.splitlines()[-1]
    assert "sesame-4711" not in result.output


async def test_doctor_asks_the_model_server_for_its_models_and_nothing_else(
    sqlite_database_url: str, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(sqlite_database_url, monkeypatch)
    monkeypatch.setenv("PORTICO_ENVIRONMENT", "production")  # where a server of our own may be on our own network
    monkeypatch.setenv("PORTICO_LLM_API_KEY", "sesame-4711")

    async def said(address: str, model: str = "") -> str:
        monkeypatch.setenv("PORTICO_LLM_BASE_URL", address)
        monkeypatch.setenv("PORTICO_LLM_MODEL", model)
        result = await asyncio.to_thread(portico, "doctor")
        assert result.exit_code == (0 if result.stdout.splitlines()[-1].startswith("ok") else 1)
        assert "sesame-4711" not in result.output
        return result.stdout.splitlines()[-1]

    async with a_model_server() as server:
        lines = [
            await said(server.url),
            await said(server.url, "small-1"),
            await said(server.url, "large"),
            await said(f"http://me:sesame-4711@127.0.0.1:{free_port}/v1"),
        ]
        server.models = {"data": [{"id": "a"}, {"id": "b"}]}
        lines.append(await said(server.url))
        server.models = "sesame-4711"
        lines.append(await said(server.url))

    assert lines == [
        "ok    model server   127.0.0.1 runs small-1",
        "ok    model server   127.0.0.1 runs small-1",
        "FAIL  model server   there is no large; its models are small-1",
        "FAIL  model server   The model is not available: failed: ConnectError",
        "FAIL  model server   PORTICO_LLM_MODEL is to name one; its models are a, b",
        "FAIL  model server   Broken answer of a model: broken: no list of models",
    ]
    assert server.asked == []


def test_doctor_refuses_a_bad_setting_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTICO_DATABASE_URL", "mysql://root:sesame-4711@localhost/shop")

    line = refused(portico("doctor"))

    assert "PORTICO_DATABASE_URL" in line
    assert "sesame-4711" not in line
