"""A cache before an application of one address that waits where a test tells it to."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from core.budget import Budget
from core.ratelimit.memory import MemoryLimiter
from core.web.finished import FINISHED, finish
from core.web.response_cache import counted, share
from core.web.response_cache.keys import Area
from core.web.response_cache.middleware import ResponseCacheMiddleware
from core.web.response_cache.store import ResponseCache

HOST = (b"host", b"shop.test")
JSON = (b"content-type", b"application/json")


@dataclass
class Got:
    status: int
    headers: dict[bytes, bytes]
    body: bytes

    @property
    def told(self) -> str:
        return self.headers.get(b"cache-status", b"").decode().removeprefix("portico; ")


class Shop:
    """`value` is what it answers now; `tags` are what it says that it shows, None for an answer that is not shared."""

    def __init__(self, *, limit_bytes: int = 1024**2, points: int = 1_000_000) -> None:
        self.time = 1_000.0
        self.ready = True
        self.cache = ResponseCache(limit_bytes, lambda: self.ready, now=lambda: self.time)
        self.budget = Budget(MemoryLimiter(lambda: 1_000.0), points)
        self.value = "one"
        self.tags: tuple[str, ...] | None = ("thing",)
        self.status = 200
        self.headers: list[tuple[bytes, bytes]] = [JSON, (b"etag", b'W/"1"'), (b"vary", b"Origin")]
        self.made = 0
        self.asked: list[tuple[str, bool]] = []  # by which method, and whether by a tag
        self.counted = 0
        self.open = asyncio.Event()
        self.open.set()
        self.entered = asyncio.Event()
        self.act: Callable[[Scope], None] = lambda _scope: None
        self.failing: Exception | None = None
        self.pieces = 1
        self.middleware = ResponseCacheMiddleware(
            self._app, areas=(Area("/", posts=True),), origins=(), caller=str, label=lambda _scope: "/things"
        )

    async def _app(self, scope: Scope, _receive: Receive, send: Send) -> None:
        self.made += 1
        self.asked.append((scope["method"], any(name == b"if-none-match" for name, _ in scope["headers"])))
        body = self.value.encode()  # read now; answered when it may
        self.entered.set()
        await self.open.wait()
        error, self.failing = self.failing, None
        if error is not None:
            raise error
        self.act(scope)
        counted(scope, self._count)
        if self.tags is not None:
            share(scope, self.tags)
        await send({"type": "http.response.start", "status": self.status, "headers": list(self.headers)})
        for piece in range(self.pieces):
            await send({"type": "http.response.body", "body": body, "more_body": piece < self.pieces - 1})

    def _count(self, _scope: Scope) -> None:
        self.counted += 1

    async def get(
        self, path: str = "/things", *headers: tuple[bytes, bytes], method: str = "GET", body: bytes = b""
    ) -> Got:
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            if message["type"] == FINISHED:
                await finish(message, b"", scope, send)
            else:
                sent.append(message)

        path, _, query = path.partition("?")
        scope: dict[str, Any] = {
            "type": "http",
            "method": method,
            "scheme": "http",
            "path": path,
            "query_string": query.encode(),
            "root_path": "",
            "headers": [HOST, *headers],
            "client": ("127.0.0.1", 1),
            "state": {"responses": self.cache, "resources": SimpleNamespace(budget=self.budget)},
        }
        await self.middleware(scope, receive, send)
        return Got(sent[0]["status"], dict(sent[0]["headers"]), b"".join(each["body"] for each in sent[1:]))

    async def begun(self, path: str = "/things") -> asyncio.Task[Got]:
        """A request that has read its value and waits for `open`."""
        self.open.clear()
        self.entered.clear()
        task = asyncio.create_task(self.get(path))
        async with asyncio.timeout(20):  # a request that waits for another never gets there
            await self.entered.wait()
        return task
