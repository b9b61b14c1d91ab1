"""Jobs through real processes: killed, drained, shared, and what people then find."""

import json
import re
import signal
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import httpx2
import pytest
from aiosmtpd.controller import Controller

from tests.fixtures.processes import PORTICO, Process, StartProcess
from tests.journeys.shop import place_orders, serve, shop_key

SECRET = "long enough to be a secret"
PRODUCTS = 5_000


def until(question: Callable[[], Any], seconds: float = 60.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := question()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def job_of(address: str, key: dict[str, str], job_id: str) -> dict[str, Any]:
    answer: dict[str, Any] = httpx2.get(f"{address}/public/v1/jobs/{job_id}", headers=key).json()
    return answer


def ended(address: str, key: dict[str, str], job_id: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        job = job_of(address, key, job_id)
        return job if job["finished_at"] else None

    found: dict[str, Any] = until(look)
    return found


def catalogue(products: int = PRODUCTS) -> bytes:
    lines = (
        {"handle": f"mug-{number}", "title": f"Mug {number}", "variants": [{"price": {"amount": 1, "currency": "USD"}}]}
        for number in range(products)
    )
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def register(address: str, name: str) -> None:
    body = {"email": f"{name}@example.com", "password": "a long password", "name": name}
    assert httpx2.post(f"{address}/public/v1/auth/register", json=body).status_code == 201


def mails(folder: Path) -> list[Any]:
    return [message_from_bytes(file.read_bytes(), policy=default) for file in (folder / "outbox").glob("*.eml")]


def rows(folder: Path, statement: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(folder / "portico.db") as connection:
        return connection.execute(statement).fetchall()


@pytest.fixture
def var(tmp_path: Path) -> Path:
    return tmp_path / "var"


def ask_for_import(address: str, key: dict[str, str], body: bytes) -> str:
    asked = httpx2.post(f"{address}/public/v1/products/import?format=jsonl", content=body, headers=key, timeout=30)
    assert asked.status_code == 202, asked.text
    return str(asked.json()["id"])


@pytest.mark.parametrize("share", [0.01, 0.5])
def test_import_that_is_killed_goes_on_at_the_next_start_and_does_no_product_twice(
    start: StartProcess, var: Path, share: float
) -> None:
    server, address = serve(start)
    key = shop_key(start)
    job_id = ask_for_import(address, key, catalogue())
    until(lambda: job_of(address, key, job_id)["progress"] >= share)

    server.send(signal.SIGKILL)
    server.wait(10)
    before = rows(var, "SELECT count(*) FROM products")[0][0]
    _, address = serve(start)
    job = ended(address, key, job_id)

    assert 0 < before < PRODUCTS
    assert (job["state"], job["attempts"]) == ("succeeded", 2)
    assert job["result"] == {"created": PRODUCTS, "updated": 0, "unchanged": 0, "failed": 0}
    events = Counter(rows(var, "SELECT type, subject FROM events WHERE type LIKE 'product.%'"))
    assert {kind for kind, _ in events} == {"product.created"}
    assert len(events) == PRODUCTS
    assert set(events.values()) == {1}
    batches = [json.loads(after) for (after,) in rows(var, "SELECT after FROM audit_log WHERE action='catalog.import'")]
    assert Counter(handle for batch in batches for handle in batch["created"]) == {
        f"mug-{number}": 1 for number in range(PRODUCTS)
    }


@pytest.mark.parametrize("form", [False, True])
def test_upload_is_never_held_in_memory(start: StartProcess, form: bool) -> None:
    server, address = serve(start)
    key = shop_key(start)
    ask_for_import(address, key, catalogue(10))
    url = f"{address}/public/v1/products/import?format=csv"
    piece, pieces = b"x" * 2**20, 128
    before = peak_kib(server)

    if form:
        with tempfile.TemporaryFile() as file:
            file.writelines(piece for _ in range(pieces))
            file.seek(0)
            asked = httpx2.post(url, files={"file": file}, headers=key, timeout=60)
    else:
        asked = httpx2.post(url, content=(piece for _ in range(pieces)), headers=key, timeout=60)
    job = ended(address, key, asked.json()["id"])

    assert job["error"]["code"] == "unreadable_file"
    assert peak_kib(server) - before < 64 * 1024


def peak_kib(process: Process) -> int:
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])  # type: ignore[index]


@pytest.mark.parametrize("statement", [1, 3, 5, 7])
def test_report_that_is_killed_is_made_at_the_next_start_and_told_once(
    start: StartProcess, var: Path, statement: int
) -> None:
    server, address = serve(start, PORTICO_FAILPOINT=f"reports.sales:{statement}")
    key = shop_key(start)
    place_orders(address, key, 3)
    year = time.gmtime().tm_year
    wanted = {"from": f"{year}-01-01", "to": f"{year + 1}-01-01", "group_by": "product", "format": "json"}
    asked = httpx2.post(f"{address}/public/v1/reports/sales", json=wanted, headers=key)
    assert asked.status_code == 202, asked.text

    assert server.wait(20) == -signal.SIGKILL
    _, address = serve(start)
    job = ended(address, key, asked.json()["id"])

    assert (job["state"], job["attempts"]) == ("succeeded", 2)
    report = httpx2.get(f"{address}/public/v1/reports/{job['id']}/download", headers=key).json()
    (row,) = report["rows"]
    assert (row["title"], row["orders"], row["units"]) == ("Mug", 3, 6)
    assert row["gross"] == {"amount": 1500, "currency": "USD"}
    events = rows(var, "SELECT type, count(*) FROM events WHERE type IN ('report.ready', 'job.updated') GROUP BY type")
    assert events == [("job.updated", 1), ("report.ready", 1)]
    assert [file.name for file in (var / "objects" / "reports").iterdir()] == [job["id"]]


class Mailbox:
    """What a mail server is given."""

    def __init__(self) -> None:
        self.taken: list[Any] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802  aiosmtpd's name
        self.taken.append(message_from_bytes(envelope.content, policy=default))
        return "250 taken"


@pytest.fixture
def mailbox(free_port: int) -> Iterator[tuple[Mailbox, str]]:
    box = Mailbox()
    controller = Controller(box, hostname="127.0.0.1", port=free_port)
    controller.start()
    yield box, f"smtp://127.0.0.1:{free_port}?from=shop@example.com"
    controller.stop()


def test_mail_that_was_sent_when_the_process_died_is_sent_again_with_the_same_message_id(
    start: StartProcess, mailbox: tuple[Mailbox, str]
) -> None:
    box, url = mailbox
    server, address = serve(start, PORTICO_SMTP_URL=url, PORTICO_FAILPOINT="accounts.welcome:1")

    register(address, "ada")
    assert server.wait(20) == -signal.SIGKILL
    assert len(box.taken) == 1
    serve(start, PORTICO_SMTP_URL=url)
    until(lambda: len(box.taken) == 2)
    time.sleep(1)

    first, second = box.taken
    assert first["Message-ID"] == second["Message-ID"]
    assert (second["To"], second["From"]) == ("ada <ada@example.com>", "Portico <shop@example.com>")


def test_registering_and_ordering_write_mails_into_the_outbox(start: StartProcess, var: Path) -> None:
    _, address = serve(start)
    key = shop_key(start)
    boss = start(*PORTICO, "users", "create", "boss@example.com", "--role", "admin")
    assert boss.wait(20) == 0

    register(address, "ada")
    place_orders(address, key, 1)
    until(lambda: len(mails(var)) == 3)

    found = {(mail["To"], mail["Subject"]) for mail in mails(var)}
    assert found == {
        ("ada <ada@example.com>", "Welcome to Portico"),
        ("ada@example.com", "Your order number 1001"),
        ("boss <boss@example.com>", "New order number 1001, 1 line"),
    }
    confirmation = next(mail for mail in mails(var) if mail["Subject"] == "Your order number 1001")
    text, page = (part.get_content() for part in confirmation.iter_parts())
    assert "2 x Mug: 5.00 USD" in text
    assert "Total: 5.00 USD" in text
    assert "2 &times; Mug" in page


def test_two_workers_beside_two_web_processes_run_every_job_once(
    start: StartProcess, postgres_database_url: str, tmp_path: Path
) -> None:
    shared = {"PORTICO_DATABASE_URL": postgres_database_url, "PORTICO_SECRET_KEY": SECRET}
    addresses = [serve(start, **shared)[1] for _ in range(2)]
    workers = [start(*PORTICO, "worker", **shared) for _ in range(2)]
    for worker in workers:
        worker.until("works on jobs")
    key = shop_key(start, **shared)

    imports = [ask_for_import(address, key, catalogue(200)) for address in addresses]
    for number in range(20):
        register(addresses[number % 2], f"person-{number}")
    folder = tmp_path / "var"
    until(lambda: len(mails(folder)) == 20)
    jobs = [ended(addresses[0], key, job_id) for job_id in imports]

    assert {(job["state"], job["attempts"]) for job in jobs} == {("succeeded", 1)}
    assert sum(job["result"]["created"] for job in jobs) == 200
    assert Counter(mail["To"] for mail in mails(folder)) == {
        f"person-{number} <person-{number}@example.com>": 1 for number in range(20)
    }
    for worker in workers:
        worker.send(signal.SIGTERM)
    assert [worker.wait(20) for worker in workers] == [0, 0]


def test_worker_that_is_asked_to_end_finishes_what_runs_or_leaves_it_to_the_next(
    start: StartProcess, postgres_database_url: str
) -> None:
    shared = {"PORTICO_DATABASE_URL": postgres_database_url, "PORTICO_SECRET_KEY": SECRET}
    _, address = serve(start, **shared)
    worker = start(*PORTICO, "worker", **shared)
    worker.until("works on jobs")
    key = shop_key(start, **shared)
    job_id = ask_for_import(address, key, catalogue())
    until(lambda: job_of(address, key, job_id)["progress"] > 0)

    worker.send(signal.SIGTERM)
    began = time.monotonic()
    assert worker.wait(20) == 0, worker.story
    assert time.monotonic() - began < 20
    start(*PORTICO, "worker", **shared).until("works on jobs")
    job = ended(address, key, job_id)

    assert job["state"] == "succeeded"
    assert job["result"] == {"created": PRODUCTS, "updated": 0, "unchanged": 0, "failed": 0}


def test_worker_refuses_a_schema_that_is_behind_in_one_line(
    start: StartProcess, empty_postgres_database_url: str
) -> None:
    shared = {"PORTICO_DATABASE_URL": empty_postgres_database_url, "PORTICO_SECRET_KEY": SECRET}
    worker = start(*PORTICO, "worker", **shared)

    assert worker.wait(20) == 1
    assert re.fullmatch(r"portico: .*run `portico db upgrade` first\n", worker.stderr)


def test_upgrade_makes_the_tables_that_jobs_need(start: StartProcess, empty_postgres_database_url: str) -> None:
    shared = {"PORTICO_DATABASE_URL": empty_postgres_database_url, "PORTICO_SECRET_KEY": SECRET}
    upgrade = start(*PORTICO, "db", "upgrade", **shared)
    assert upgrade.wait(30) == 0, upgrade.story

    _, address = serve(start, **shared)
    register(address, "ada")  # which asks for a job
