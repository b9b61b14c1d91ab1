"""`portico worker --metrics`: what this worker has done, for Prometheus, where it was told to and nowhere else."""

import asyncio
import signal
from pathlib import Path

import httpx2
import pytest
import typer

from commerce.accounts.jobs import WelcomeMail, send_welcome
from core.clock import SystemClock
from core.database import Database
from core.jobs.jobs import Jobs
from gateway.cli.worker import Listen
from tests.fixtures.processes import PORTICO, StartProcess


async def enqueue_a_job(folder: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{folder / 'portico.db'}")
    jobs = Jobs(database, SystemClock())
    async with database.write() as session:
        await jobs.enqueue(session, send_welcome, WelcomeMail(user_id="usr_nobody"))
    await jobs.close()
    await database.close()


async def test_worker_serves_its_own_metrics_where_it_was_told_to(start: StartProcess, tmp_path: Path) -> None:
    worker = start(*PORTICO, "worker", "--metrics", "0")
    address = (await asyncio.to_thread(worker.until, r"Metrics on (http://127\.0\.0\.1:\d+/metrics)"))[1]
    await asyncio.to_thread(worker.until, "works on jobs")
    await enqueue_a_job(tmp_path / "var")

    done = 'portico_job_duration_seconds_count{name="accounts.welcome",outcome="succeeded",queue="mail"} 1.0'
    async with httpx2.AsyncClient() as client, asyncio.timeout(30):
        while done not in (answer := await client.get(address)).text:  # noqa: ASYNC110  it tells nobody
            await asyncio.sleep(0.05)

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert "# TYPE portico_webhook_duration_seconds histogram" in answer.text
    worker.send(signal.SIGTERM)
    assert await asyncio.to_thread(worker.wait, 20) == 0, worker.story


async def test_worker_serves_no_metrics_by_default(start: StartProcess) -> None:
    worker = start(*PORTICO, "worker")
    await asyncio.to_thread(worker.until, "works on jobs")

    assert "Metrics" not in worker.stdout
    worker.send(signal.SIGTERM)
    assert await asyncio.to_thread(worker.wait, 20) == 0, worker.story


def test_address_that_is_taken_is_refused_in_one_line(start: StartProcess) -> None:
    taken = start(*PORTICO, "serve", "--port", "0").until(r"Portico is ready: http://(\S+)")[1]

    worker = start(*PORTICO, "worker", "--metrics", taken)

    assert worker.wait(20) == 1
    assert worker.stderr == f"portico: cannot serve metrics on {taken}: Address already in use\n"


@pytest.mark.parametrize(
    ("given", "host", "port", "shown"),
    [
        ("9100", "127.0.0.1", 9100, "127.0.0.1:9100"),
        ("0.0.0.0:0", "0.0.0.0", 0, "0.0.0.0:0"),  # noqa: S104  as somebody may want it
        ("metrics.internal:65535", "metrics.internal", 65535, "metrics.internal:65535"),
        ("[::1]:9100", "::1", 9100, "[::1]:9100"),
    ],
)
def test_address_is_a_port_with_or_without_a_host(given: str, host: str, port: int, shown: str) -> None:
    listen = Listen.parse(given)

    assert (listen.host, listen.port, str(listen)) == (host, port, shown)


@pytest.mark.parametrize(
    "given", ["", "host", "host:", ":9100", "::1:9100", "[host]:1", "1.2.3.4:65536", "h:-1", "h:٣"]
)
def test_what_is_no_address_is_wrong_usage(given: str) -> None:
    with pytest.raises(typer.BadParameter):
        Listen.parse(given)
