"""Several hosts: one database and one store of files between them, and of each other's disks they see nothing."""

import json
import signal
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.fixtures.processes import HASTY_WORKER, Process, StartProcess
from tests.journeys.shop import place_orders, serve, shop_key
from tests.journeys.test_jobs import SECRET, ask_for_import, ended, job_of, until

PRODUCTS = 1_500


class Hosts:
    """Programs, each with a data dir that is its own."""

    def __init__(self, start: StartProcess, folder: Path, shared: dict[str, str]) -> None:
        self._start = start
        self._folder = folder
        self._shared = shared

    def web(self) -> tuple[str, dict[str, str]]:
        """Its address, and the headers of a key."""
        environment = self._environment("web")
        _, address = serve(self._start, **environment)
        return address, shop_key(self._start, **environment)

    def worker(self, name: str, **environment: str) -> Process:
        worker = self._start(*HASTY_WORKER, **self._environment(name), **environment)
        worker.until("works on jobs")
        return worker

    def files(self) -> list[str]:
        """All that is on the disks of hosts, but for mails, and the index that each host makes of the database."""
        files = [path for path in self._folder.rglob("*") if path.is_file() and path.suffix != ".eml"]
        return [path.name for path in files if path.parent.name != "semantics"]

    def _environment(self, name: str) -> dict[str, str]:
        return self._shared | {"PORTICO_DATA_DIR": str(self._folder / name)}


@pytest.fixture(params=["file", "s3"])
def hosts(request: pytest.FixtureRequest, start: StartProcess, postgres_database_url: str, tmp_path: Path) -> Hosts:
    objects = f"file://{tmp_path / 'objects'}" if request.param == "file" else request.getfixturevalue("s3_url")
    shared = {
        "PORTICO_DATABASE_URL": postgres_database_url,
        "PORTICO_SECRET_KEY": SECRET,
        "PORTICO_OBJECTS_URL": objects,
    }
    return Hosts(start, tmp_path / "hosts", shared)


def catalogue() -> tuple[bytes, list[int]]:
    """Products, and the lines of those that have no title."""
    untitled = range(5, PRODUCTS + 1, 7)
    variants = [{"price": {"amount": 1, "currency": "USD"}}]
    lines = (
        {"handle": f"mug-{line}", "title": "" if line in untitled else "Mug", "variants": variants}
        for line in range(1, PRODUCTS + 1)
    )
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines), list(untitled)


def test_import_that_is_killed_goes_on_at_another_host_and_tells_each_fault_once(hosts: Hosts) -> None:
    body, untitled = catalogue()
    address, key = hosts.web()
    job_id = ask_for_import(address, key, body)
    first = hosts.worker("one")
    until(lambda: job_of(address, key, job_id)["progress"] >= 0.3)

    first.send(signal.SIGKILL)
    first.wait(10)
    early = httpx2.get(f"{address}/public/v1/jobs/{job_id}/errors", headers=key)
    hosts.worker("two")
    job = ended(address, key, job_id)

    assert early.json()["code"] == "job_not_finished"
    assert job["state"] == "succeeded"
    assert job["attempts"] >= 2
    created = PRODUCTS - len(untitled)
    assert job["result"] == {"created": created, "updated": 0, "unchanged": 0, "failed": len(untitled)}
    errors = httpx2.get(f"{address}/public/v1/jobs/{job_id}/errors?format=jsonl", headers=key, timeout=30)
    assert [json.loads(line)["line"] for line in errors.text.splitlines()] == untitled
    assert hosts.files() == []


@pytest.mark.parametrize("hosts", ["s3"], indirect=True)
def test_report_that_is_killed_is_made_at_another_host_and_downloaded_from_a_third(
    hosts: Hosts,
) -> None:
    address, key = hosts.web()
    place_orders(address, key, 3)
    wanted: dict[str, Any] = {"from": "2026-01-01", "to": "2027-01-01", "group_by": "product", "format": "json"}
    asked = httpx2.post(f"{address}/public/v1/reports/sales", json=wanted, headers=key)
    assert asked.status_code == 202, asked.text
    first = hosts.worker("one", PORTICO_FAILPOINT="reports.sales:3")
    assert first.wait(20) == -signal.SIGKILL

    hosts.worker("two")
    job = ended(address, key, asked.json()["id"])

    assert (job["state"], job["attempts"]) == ("succeeded", 2)
    path = f"{address}/public/v1/reports/{job['id']}/download"
    whole = httpx2.get(path, headers=key)
    size = len(whole.content)
    parts = [httpx2.get(path, headers=key | {"Range": f"bytes={span}"}) for span in ("0-9", "10-")]
    (row,) = whole.json()["rows"]
    assert (row["title"], row["orders"], row["units"]) == ("Mug", 3, 6)
    assert size == job["result"]["bytes"]
    assert [(part.status_code, part.headers["content-range"]) for part in parts] == [
        (206, f"bytes 0-9/{size}"),
        (206, f"bytes 10-{size - 1}/{size}"),
    ]
    assert b"".join(part.content for part in parts) == whole.content
    assert hosts.files() == []
