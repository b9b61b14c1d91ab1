"""Reads that nothing keeps, one statement and more each, beside the same in FastAPI and in Litestar with an ORM."""

import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.harness.asking import LIST, PRODUCTS, ask, product_ids
from benchmarks.harness.catalogue import fill_sqlite
from benchmarks.harness.comparison import Asked, Comparison, Contender, same_json
from benchmarks.harness.contenders import Started, peer, portico, raw
from benchmarks.harness.install import NotInstalled, python_of
from benchmarks.harness.load import Request
from benchmarks.report import Row, not_measured

CONNECTIONS = 16
DIFFERENT = 50  # products that are asked for by id in turn
REQUIRED = {"product list": 8, "product": 4}


def run() -> list[Row]:
    with TemporaryDirectory() as ours, TemporaryDirectory() as theirs, ExitStack() as stack:
        environment = {"DATABASE_URL": f"sqlite+aiosqlite:///{_copied(Path(ours), Path(theirs))}"}
        started = {"Portico": stack.enter_context(portico(Path(ours), cached=False))}
        started["FastAPI + ORM"] = stack.enter_context(peer("fastapi_orm", environment))
        rows = []
        try:
            python = python_of("litestar_orm")
            started["Litestar + ORM"] = stack.enter_context(peer("litestar_orm", environment, python))
        except NotInstalled as error:
            rows.append(not_measured("Litestar + ORM", str(error)))
        address = started["Portico"][1]
        products = [Request(f"{PRODUCTS}/{each}") for each in product_ids(address, DIFFERENT)]
        for name, requests in {"product list": [LIST], "product": products}.items():
            bodies = {request.path: ask(address, request) for request in requests}
            yardstick = stack.enter_context(raw({path.partition("?")[0]: body for path, body in bodies.items()}))
            rows += _compared(name, requests, bodies, started | {"raw ASGI": yardstick})
        return rows


def _copied(ours: Path, theirs: Path) -> Path:
    """The same catalogue, in a file that nobody writes to."""
    file = fill_sqlite(ours)
    (theirs / file.name).write_bytes(file.read_bytes())
    return theirs / file.name


def _compared(
    name: str, requests: Sequence[Request], bodies: dict[str, bytes], started: dict[str, Started]
) -> list[Row]:
    contenders = []
    for who, (process, address) in started.items():
        prefix = PRODUCTS if who in ("Portico", "raw ASGI") else "/products"
        asked = [
            Asked(Request(each.path.replace(PRODUCTS, prefix)), same_json(json.loads(bodies[each.path])), 1)
            for each in requests
        ]
        contenders.append(Contender(who, address, asked, process))
    comparison = Comparison(f"uncached {name}", contenders, connections=CONNECTIONS)
    comparison.measure()
    ratios = [comparison.ratio("Portico", "FastAPI + ORM", "requests/s", REQUIRED[name])]
    ratios += [comparison.ratio("Portico", who, "CPU") for who in started if who != "Portico"]
    return [*comparison.rows(), *ratios]
