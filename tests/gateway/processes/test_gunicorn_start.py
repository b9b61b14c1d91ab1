"""How gunicorn starts, refuses to start, and counts over its workers."""

import asyncio
import os
import re
import signal
from contextlib import suppress
from pathlib import Path

import httpx2
import psutil
import pytest

from tests.fixtures.processes import GUNICORN, Process, StartProcess, impatient
from tests.gateway.processes.conftest import StartGunicorn

IMPATIENT = impatient("import runpy; runpy.run_module('gunicorn', run_name='__main__')")
TOKEN = "operators-only-token"


def portico_lines(process: Process) -> list[str]:
    return [line for line in process.stderr.splitlines() if line.startswith("portico:")]


def metrics_folders(tmp_path: Path) -> list[Path]:
    return list(tmp_path.glob("portico-metrics-*"))


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_start_that_fails_ends_the_master(gunicorn: StartGunicorn, tmp_path: Path, kind: str) -> None:
    (tmp_path / "a-file").touch()
    url = {
        "sqlite": f"sqlite+aiosqlite:///{tmp_path}/a-file/portico.db",
        "postgresql": "postgresql+asyncpg://portico:pw@127.0.0.1:1/portico",
    }[kind]

    process = gunicorn(ready=False, PORTICO_DATABASE_URL=url, PORTICO_SECRET_KEY="k" * 32)
    code = process.wait(15)

    assert code == 3, process.story
    assert process.stderr.count("Booting worker") == 1, process.story
    assert "Application startup failed" in process.stderr, process.story


def test_bad_setting_is_refused_in_one_line(gunicorn: StartGunicorn) -> None:
    process = gunicorn(ready=False, PORTICO_CURENCY="EUR")

    assert process.wait(15) == 1, process.story
    assert process.stderr == "portico: PORTICO_CURENCY is not a setting; did you mean PORTICO_CURRENCY?\n"


def test_two_workers_without_redis_are_refused_in_one_line(gunicorn: StartGunicorn, tmp_path: Path) -> None:
    process = gunicorn("-w", "2", ready=False)

    assert process.wait(15) == 1, process.story
    assert portico_lines(process) == [
        "portico: 2 workers need PORTICO_REDIS_URL: in-memory limits and caches mean one"
    ], process.story
    assert not re.search("error|traceback|booting", process.stderr, re.IGNORECASE), process.story
    assert metrics_folders(tmp_path) == []


def test_second_server_over_one_data_dir_is_refused_in_one_line(
    gunicorn: StartGunicorn, start: StartProcess, address: str
) -> None:
    first = gunicorn()

    second = start(*IMPATIENT, *GUNICORN[2:], "-b", "127.0.0.1:0", "gateway.main:app")

    assert second.wait(15) == 1, second.story
    (line,) = portico_lines(second)
    assert f"another server (process {first.pid}) works on" in line
    assert not re.search("traceback|booting", second.stderr, re.IGNORECASE), second.story
    assert httpx2.get(f"{address}/readyz").status_code == 200


def test_root_path_stands_before_every_link(gunicorn: StartGunicorn, address: str) -> None:
    gunicorn("--root-path", "/shop")

    document = httpx2.get(f"{address}/public/v1/openapi.json")
    landing = httpx2.get(f"{address}/")

    assert document.status_code == 200
    assert [server["url"] for server in document.json()["servers"]] == ["/shop/public/v1"]
    links = re.findall(r'href="(/[^"]*)"', landing.text)
    assert links
    assert [link for link in links if not link.startswith("/shop/")] == []


def test_metrics_folder_is_removed_in_the_end_also_after_a_reload(gunicorn: StartGunicorn, tmp_path: Path) -> None:
    process = gunicorn()
    assert len(metrics_folders(tmp_path)) == 1

    process.send(signal.SIGHUP)
    process.until("Application startup complete", count=2)
    process.until("Application shutdown complete")
    assert len(metrics_folders(tmp_path)) == 1
    process.send(signal.SIGTERM)

    assert process.wait(10) == 0, process.story
    assert metrics_folders(tmp_path) == []


async def counted(client: httpx2.AsyncClient) -> float:
    """Requests for products, as the worker that holds this connection reports them."""
    text = (await client.get("/internal/metrics")).text
    lines = re.findall(r"^portico_http_request_duration_seconds_count\{(.*)\} (.*)$", text, re.MULTILINE)
    return sum(float(value) for labels, value in lines if 'route="/public/v1/products"' in labels)


async def request_products(address: str) -> int:
    """Over a connection of its own, and the worker it fell to."""
    async with httpx2.AsyncClient(base_url=address, timeout=20) as client:
        assert (await client.get("/public/v1/products")).status_code == 200
        return int((await client.get("/public/pid")).text)


async def counts_by_worker(address: str, workers: int, expected: float) -> dict[int, float]:
    """Asks over new connections until each worker has told the expected number: it learns of another's requests a
    moment after them.
    """
    counts: dict[int, float] = {}

    async def ask() -> None:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with httpx2.AsyncClient(base_url=address, timeout=20, headers=headers) as client:
            counts[int((await client.get("/public/pid")).text)] = await counted(client)

    with suppress(TimeoutError):
        async with asyncio.timeout(15):
            while list(counts.values()) != [expected] * workers:
                await asyncio.gather(*(ask() for _ in range(10)))
    return counts


async def test_metrics_count_over_all_workers_also_those_that_are_gone(gunicorn: StartGunicorn, address: str) -> None:
    process = gunicorn(
        "-w", "2", PORTICO_REDIS_URL="redis://127.0.0.1:1/0", PORTICO_METRICS_TOKEN=TOKEN
    )  # nothing connects to it
    await asyncio.to_thread(process.until, "Application startup complete", count=2)

    served_by = set(await asyncio.gather(*(request_products(address) for _ in range(40))))
    before = await counts_by_worker(address, 2, 40)
    gone = min(served_by)
    os.kill(gone, signal.SIGTERM)
    await asyncio.to_thread(process.until, "Application startup complete", count=3)
    after = await counts_by_worker(address, 2, 40)

    assert list(before.values()) == [40, 40], process.story
    assert list(after.values()) == [40, 40], process.story
    assert gone not in after
    assert len(after.keys() - before.keys()) == 1


async def test_metrics_show_each_process_and_what_all_have_in_common(gunicorn: StartGunicorn, address: str) -> None:
    process = gunicorn("-w", "2", PORTICO_REDIS_URL="redis://127.0.0.1:1/0", PORTICO_METRICS_TOKEN=TOKEN)
    await asyncio.to_thread(process.until, "Application startup complete", count=2)

    def processes(text: str) -> set[str]:
        return set(re.findall(r'^portico_process_resident_bytes\{pid="(\d+)"\} [1-9]', text, re.MULTILINE))

    async with httpx2.AsyncClient(base_url=address, headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        async with asyncio.timeout(20):
            while len(processes(text := (await client.get("/internal/metrics")).text)) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.1)

    assert re.findall(r"^portico_tailer_position (\S+)$", text, re.MULTILINE) == ["0.0"]
    assert re.findall(r"^portico_event_log_newest (\S+)$", text, re.MULTILINE) == ["0.0"]
    assert len(re.findall(r"^portico_build_info\{", text, re.MULTILINE)) == 1
    assert re.search(r"^portico_process_cpu_seconds_total [1-9]", text, re.MULTILINE), text


def test_next_master_that_cannot_start_leaves_the_one_before_serving(
    gunicorn: StartGunicorn, address: str, tmp_path: Path
) -> None:
    process = gunicorn()
    before = httpx2.get(f"{address}/public/pid").text
    (tmp_path / ".env").write_text("PORTICO_CURENCY=EUR\n")

    process.send(signal.SIGUSR2)
    process.until("did you mean PORTICO_CURRENCY")

    assert httpx2.get(f"{address}/public/pid").text == before
    process.send(signal.SIGTERM)
    assert process.wait(10) == 0, process.story


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_next_master_serves_before_the_one_before_it_goes_and_counts_for_itself(
    gunicorn: StartGunicorn, address: str, tmp_path: Path, database_url: str
) -> None:
    """Also after a SIGHUP, by which gunicorn takes its own folder of metrics for the operator's."""
    process = gunicorn(PORTICO_DATABASE_URL=database_url, PORTICO_SECRET_KEY="k" * 32, PORTICO_METRICS_TOKEN=TOKEN)
    master = psutil.Process(process.pid)
    old = master.children()
    process.send(signal.SIGHUP)
    await asyncio.to_thread(psutil.wait_procs, old, 20)
    await asyncio.to_thread(process.until, "Application startup complete", count=2)
    (worker,) = master.children()

    process.send(signal.SIGUSR2)
    await asyncio.to_thread(process.until, "Application startup complete", count=3)
    (successor,) = [each for each in master.children() if each != worker]
    process.send(signal.SIGTERM)
    code = await asyncio.to_thread(process.wait, 10)
    served_by = await request_products(address)
    counts = await counts_by_worker(address, 1, 1)

    assert code == 0, process.story
    assert {served_by} == counts.keys() == {each.pid for each in successor.children()}
    assert len(metrics_folders(tmp_path)) == 1
    successor.terminate()
    await asyncio.to_thread(psutil.wait_procs, [successor], 10)
    assert metrics_folders(tmp_path) == []
