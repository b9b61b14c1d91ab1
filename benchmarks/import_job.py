"""An import of 100,000 rows as a job, and what it does to who reads products meanwhile, from one server on SQLite. Its
response cache is off: what is read comes from the database, before and while it is written.
"""

import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from benchmarks.harness.contenders import portico
from benchmarks.products_file import SIZES, write_products
from benchmarks.report import Row, at_most
from benchmarks.server import new_key

PRODUCTS = 20_000
IDLE_SECONDS = 15
REQUIRED_RATIO = 3
_BETWEEN_SECONDS = 0.01
_LIST = "/public/v1/products?size=20"


def run() -> list[Row]:
    with TemporaryDirectory() as folder:
        small, large = Path(folder) / "small.csv", Path(folder) / "large.csv"
        write_products(small, 100)
        write_products(large, PRODUCTS)
        key = new_key(folder, "catalog:write")
        with (
            portico(Path(folder), cached=False) as (_, address),
            httpx.Client(base_url=address, headers={"Authorization": f"Bearer {key}"}, timeout=60) as client,
        ):
            _until(client, _import(client, small), lambda: None)  # what is read while it is idle
            _p99(client, seconds=3)  # warm
            idle = _p99(client, seconds=IDLE_SECONDS)
            started, waits = time.perf_counter(), list[float]()
            _until(client, _import(client, large), lambda: waits.append(_read(client)))
            seconds = time.perf_counter() - started
    busy = _percentile(waits)
    return [
        Row("the job", PRODUCTS * len(SIZES) / seconds, "rows/s"),
        Row("p99 of GET /products, idle", idle * 1000, "ms"),
        Row("p99 of GET /products, while it runs", busy * 1000, "ms"),
        at_most("the one by the other", busy / idle, "x", REQUIRED_RATIO),
    ]


def _import(client: httpx.Client, file: Path) -> str:
    with file.open("rb") as body:
        accepted = client.post("/public/v1/products/import", content=body, headers={"Content-Type": "text/csv"})
    assert accepted.status_code == httpx.codes.ACCEPTED, accepted.text
    return str(accepted.json()["id"])


def _until(client: httpx.Client, job: str, meanwhile: Callable[[], None]) -> None:
    """The job is asked for once a second: what is measured is the reading."""
    while True:
        state = client.get(f"/public/v1/jobs/{job}").json()
        if state["state"] not in ("queued", "running"):
            assert state["state"] == "succeeded", state
            return
        asked = time.perf_counter()
        while time.perf_counter() - asked < 1:
            meanwhile()
            time.sleep(_BETWEEN_SECONDS)


def _p99(client: httpx.Client, *, seconds: float) -> float:
    waits: list[float] = []
    started = time.perf_counter()
    while time.perf_counter() - started < seconds:
        waits.append(_read(client))
        time.sleep(_BETWEEN_SECONDS)
    return _percentile(waits)


def _read(client: httpx.Client) -> float:
    started = time.perf_counter()
    answer = client.get(_LIST)
    assert answer.status_code == httpx.codes.OK, answer.text
    return time.perf_counter() - started


def _percentile(waits: list[float]) -> float:
    return sorted(waits)[int(len(waits) * 0.99)]
