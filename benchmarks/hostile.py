"""What documents that ask for too much cost the processor of one server, beside a plain query of one page too; and
what the budget adds to a request. Nothing is answered from the response cache, and each hostile document is another
text each time.
"""

import asyncio
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import psutil
from starlette.requests import HTTPConnection
from starlette.types import Message, Receive, Scope, Send

from benchmarks.harness.asking import ask, operation
from benchmarks.harness.catalogue import fill_sqlite
from benchmarks.harness.contenders import portico
from benchmarks.report import Row, at_most
from core.budget import Budget
from core.ratelimit.memory import MemoryLimiter
from core.web.middleware.quota import QuotaMiddleware, spend

REQUESTS, HOSTILE = 300, 30  # of a query, and of a document that costs many times as much
REQUIRED_MS = 20.0  # for so long it keeps all others of its process waiting
HITS = 20_000
_PLAIN = "{ products { nodes { id } } }"


def _times(count: int, text: str) -> str:
    return " ".join(text.replace("#", str(n)) for n in range(count))


def _chain(kind: str, leaf: str, length: int = 80) -> str:
    """2^80 ways to the leaf."""
    links = _times(length, f"fragment F# on {kind} {{ ...G# ...G# }}")
    for n in range(length):
        links = links.replace(f"G{n} ", f"F{n + 1} ")
    return f"{links} fragment F{length} on {kind} {{ {leaf} }}"


DOCUMENTS = {
    "fragments in a circle": "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }",
    "10,000 aliases": f"{{ {_times(10_000, 'a#: __typename')} }}",
    "1,000 fields of one name": f"{{ categories {{ {_times(980, 'id')} }} }}",
    "90 selections of one field": "{ products { nodes { "
    + _times(90, "variants { id sku price { amount } stock }")
    + " } } }",
    "31 selections of one field": f"{{ products(first: 1) {{ {_times(31, 'nodes { id }')} }} }}",
    "49 fragments of fragments": "{ products(first: 1) { nodes { ...F0 ...F1 } } } " + _chain("Product", "id", 49),
    "100 kB of white space": " " * 100_000 + _PLAIN,
    "60 kB of one string": f'{{ product(handle: "{"a" * 60_000}") {{ id }} }}',
    "20,000 comments": "#\n" * 20_000 + _PLAIN,
    "450 lists in lists": "{ nodes(ids: " + "[" * 450 + "]" * 450 + ") { id } }",
    "60,000 directives": "{ __typename " + "@a " * 60_000 + "}",
    "pages beside pages": f"{{ {_times(20, 'a#: products(first: 100) { nodes { variants { price { amount } } } }')} }}",
    "2^80 root fields": "{ ...F0 } " + _chain("Query", "__typename"),
    "2^80 introspections": "{ __schema { ...F0 } } " + _chain("__Schema", "types { name }"),
    "140 fragments": "{ __typename } " + _times(140, "fragment F# on Query { __typename }"),
}


def run() -> list[Row]:
    with TemporaryDirectory() as folder:
        fill_sqlite(Path(folder))
        with portico(Path(folder), cached=False) as (process, address), httpx.Client(base_url=address) as client:
            ask(address, operation(_PLAIN))
            _cpu_ms(process, client, _PLAIN, unique=False)  # warm
            plain = _cpu_ms(process, client, _PLAIN, unique=False)
            fresh = _cpu_ms(process, client, _PLAIN, unique=True)
            costs = {name: _cpu_ms(process, client, text, HOSTILE, unique=True) for name, text in DOCUMENTS.items()}
    spending = asyncio.run(_microseconds(spends=True)) - asyncio.run(_microseconds(spends=False))
    return [
        Row(f"CPU of {_PLAIN}", plain, "ms"),
        Row("the same, never seen before", fresh / plain, "x"),
        *(at_most(name, cost, "ms", REQUIRED_MS) for name, cost in costs.items()),
        *(Row(f"{name}, to the query", cost / plain, "x") for name, cost in costs.items()),
        Row("the budget and its headers", spending, "us a request"),
    ]


def _cpu_ms(
    process: psutil.Process, client: httpx.Client, text: str, requests: int = REQUESTS, *, unique: bool
) -> float:
    before = process.cpu_times()
    for number in range(requests):
        client.post("/graphql", json={"query": f"{text} # {number}" if unique else text})
    after = process.cpu_times()
    return (after.user + after.system - before.user - before.system) / requests * 1000


async def _microseconds(*, spends: bool) -> float:
    """Of a request to an application that does nothing but answer."""
    budget = Budget(MemoryLimiter(), 10**9)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001
        if spends:
            await spend(HTTPConnection(scope), budget, "user:usr_1", 1)
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(_message: Message) -> None: ...

    app: Any = QuotaMiddleware(answer) if spends else answer
    started = time.process_time()
    for _ in range(HITS):
        await app({"type": "http", "state": {"resources": _Resources(budget)}}, receive, send)
    return (time.process_time() - started) / HITS * 1e6


class _Resources:
    def __init__(self, budget: Budget) -> None:
        self.budget = budget
