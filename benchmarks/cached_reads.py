"""Reads that everybody may see and that were asked before, beside a raw ASGI application that has the same bytes."""

import json
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.harness.asking import LIST, PRODUCTS, ask, operation, product_ids
from benchmarks.harness.catalogue import fill_sqlite
from benchmarks.harness.comparison import Asked, Comparison, Contender, same_bytes, same_json
from benchmarks.harness.contenders import Started, portico, raw
from benchmarks.harness.load import Request
from benchmarks.report import Row

CONNECTIONS = 32
REQUIRED = 0.6
_DIGITS = 12  # by which answers differ in what is left of a caller's budget


def run() -> list[Row]:
    with TemporaryDirectory() as folder, ExitStack() as stack:
        fill_sqlite(Path(folder))
        ours = stack.enter_context(portico(Path(folder), cached=True))
        product = Request(f"{PRODUCTS}/{product_ids(ours[1], 1)[0]}")
        requests = {"product list": LIST, "product": product, "GraphQL": operation()}
        bodies = {each.path.partition("?")[0]: ask(ours[1], each) for each in requests.values()}
        theirs = stack.enter_context(raw(bodies))
        rows = []
        for name, request in requests.items():
            asked = _asked(request, bodies[request.path.partition("?")[0]])
            rows += _compared(name, asked, ours, theirs)
        return rows


def _asked(request: Request, body: bytes) -> Asked:
    """Every answer is the one that was made first; in GraphQL's, what is left of the budget differs."""
    if request.method == "GET":
        return Asked(request, same_bytes(body), len(body))
    data = json.loads(body)["data"]
    return Asked(request, same_json(data, lambda answer: answer["data"]), len(body) - _DIGITS)


def _compared(name: str, asked: Asked, ours: Started, theirs: Started) -> list[Row]:
    contenders = [
        Contender("Portico", ours[1], [asked], ours[0]),
        Contender("raw ASGI", theirs[1], [asked], theirs[0]),
    ]
    comparison = Comparison(f"cached {name}", contenders, connections=CONNECTIONS)
    comparison.measure()
    required = None if name == "GraphQL" else REQUIRED
    ratios = [comparison.ratio("Portico", "raw ASGI", "requests/s", required)]
    return [*comparison.rows(), *ratios, comparison.ratio("Portico", "raw ASGI", "CPU")]
