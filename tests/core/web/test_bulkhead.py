"""Where requests pass a wall: who needs no place, who is let in first, and when a place is given back."""

import asyncio
from dataclasses import dataclass, field

import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from core.bulkheads import Bulkhead, Bulkheads, Capacity
from core.right_of_way import RightOfWay
from core.threads import in_thread
from core.web.middleware.bulkhead import BulkheadMiddleware

DISCONNECT: Message = {"type": "http.disconnect"}
START: Message = {"type": "http.response.start", "status": 200, "headers": []}
END: Message = {"type": "http.response.body", "body": b"end"}


@dataclass
class Application:
    """Is reached, sends what it is told to, and ends when it is let go."""

    sends: list[Message] = field(default_factory=list)
    reached: list[str] = field(default_factory=list)
    sent: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        self.reached.append(scope["path"])
        for message in self.sends:
            await send(message)
        self.sent.set()
        await self.go.wait()


class Door:
    """Two places, of which one is for what is urgent; one may wait."""

    def __init__(self, *sends: Message) -> None:
        self.app = Application(list(sends))
        self._walls = Bulkheads({"public": Capacity(running=2, waiting=1, patience_seconds=60, reserved=1)})
        self._middleware = BulkheadMiddleware(
            self.app, "public", urgent=lambda scope: scope["path"] == "/orders", free=frozenset({"/health"})
        )
        self.client: asyncio.Queue[Message] = asyncio.Queue()

    @property
    def wall(self) -> Bulkhead:
        return self._walls["public"]

    @property
    def way(self) -> RightOfWay:
        return self._walls.way

    def ask(self, path: str, kind: str = "http") -> "asyncio.Task[None]":
        async def send(_message: Message) -> None: ...

        scope = {"type": kind, "path": path, "root_path": "", "state": {"bulkheads": self._walls}}
        return asyncio.create_task(self._call(scope, send))

    async def _call(self, scope: Scope, send: Send) -> None:
        await self._middleware(scope, self.client.get, send)

    async def end(self, *asked: "asyncio.Task[None]") -> None:
        self.app.go.set()
        await asyncio.gather(*asked)

    def free(self) -> tuple[int, int]:
        """How many more reads would be let in, and how many orders then."""
        reads = sum(iter(lambda: self.wall.try_enter(False), False))
        orders = sum(iter(lambda: self.wall.try_enter(True), False))
        return reads, orders


async def settled() -> None:
    await pass_turns(8)


async def pass_turns(times: int) -> None:
    for _ in range(times):
        await asyncio.sleep(0)


async def test_free_address_is_held_up_by_nothing_and_takes_no_place() -> None:
    door = Door()
    held = [door.ask("/products"), door.ask("/orders"), door.ask("/products")]
    await settled()

    asked = door.ask("/health")
    await settled()

    assert door.app.reached == ["/products", "/orders", "/health"]
    assert (door.wall.running, door.wall.waiting) == (2, 1)
    await door.end(asked, *held)
    assert door.wall.running == 0


@pytest.mark.parametrize("sends", [(), (START, END)], ids=["silent", "answered"])
async def test_place_is_held_until_the_end_and_then_free_for_its_own_kind(sends: tuple[Message, ...]) -> None:
    door = Door(*sends)
    asked = [door.ask("/orders"), door.ask("/products")]
    await settled()
    running = door.wall.running

    await door.end(*asked)

    assert running == 2
    assert door.free() == (1, 1)


@pytest.mark.parametrize("path", ["/orders", "/products"])
@pytest.mark.parametrize(
    ("kind", "begins"),
    [("http", {**END, "more_body": True}), ("websocket", {"type": "websocket.accept"})],
    ids=["pieces", "socket"],
)
async def test_stream_gives_its_place_back_once_when_it_begins(path: str, kind: str, begins: Message) -> None:
    door = Door(begins, begins)

    asked = door.ask(path, kind)
    await door.app.sent.wait()
    running = door.wall.running
    await door.end(asked)

    assert running == 0
    assert door.free() == (1, 1)


async def test_socket_that_is_denied_holds_its_place_until_the_end() -> None:
    door = Door({"type": "websocket.http.response.start", "status": 401, "headers": []})

    asked = door.ask("/ws", "websocket")
    await door.app.sent.wait()
    running = door.wall.running
    await door.end(asked)

    assert (running, door.wall.running) == (1, 0)


@pytest.mark.parametrize("urgent", [False, True])
async def test_place_that_comes_at_the_moment_when_the_client_leaves_is_free_for_others(urgent: bool) -> None:
    door = Door()
    taken = [door.wall.try_enter(each) for each in (False, True)]
    asked = door.ask("/orders" if urgent else "/products")
    await settled()

    door.wall.leave(urgent)
    door.client.put_nowait(DISCONNECT)

    with pytest.raises(ClientDisconnect):
        await asked
    assert taken == [True, True]
    assert (door.app.reached, door.wall.running, door.wall.waiting) == ([], 1, 0)
    assert door.free() == ((0, 1) if urgent else (1, 0))


@pytest.mark.parametrize("path", ["/orders", "/products"])
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("turns", range(8))  # of the event loop, after which the request runs
async def test_place_is_free_whenever_the_request_is_cancelled_after_it_came(path: str, times: int, turns: int) -> None:
    door = Door()
    taken = [door.wall.try_enter(each) for each in (False, True)]
    asked = door.ask(path)
    await settled()

    door.wall.leave(path == "/orders")
    await pass_turns(turns)
    for _ in range(times):
        asked.cancel()
        await pass_turns(1)
    await settled()

    assert taken == [True, True]
    assert asked.cancelled()
    assert (door.wall.running, door.wall.waiting) == (1, 0)
    assert door.free() == ((0, 1) if path == "/orders" else (1, 0))


@pytest.mark.parametrize("path", ["/orders", "/products"])
async def test_who_waits_for_an_answer_gets_the_place_and_gives_it_back(path: str) -> None:
    door = Door()
    held = [door.ask("/products"), door.ask("/orders")]
    await settled()
    asked = door.ask(path)
    await settled()
    waiting = door.wall.waiting

    await door.end(*held, asked)

    assert waiting == 1
    assert door.app.reached == ["/products", "/orders", path]
    assert door.free() == (1, 1)


@pytest.mark.parametrize(("path", "takes"), [("/orders", True), ("/health", True), ("/products", False)])
async def test_what_is_urgent_or_free_has_the_right_of_way_until_its_end(path: str, takes: bool) -> None:
    door = Door()

    asked = door.ask(path)
    await settled()
    during = door.way.is_taken
    await door.end(asked)

    assert (during, door.way.is_taken) == (takes, False)


async def test_stream_of_what_is_urgent_gives_the_right_of_way_back_when_it_begins() -> None:
    door = Door(START, {"type": "http.response.body", "body": b"a", "more_body": True})

    asked = door.ask("/orders")
    await settled()

    assert not door.way.is_taken
    await door.end(asked)
    assert not door.way.is_taken


async def test_request_works_in_the_threads_of_its_wall_and_no_other_work_does() -> None:
    walls = Bulkheads({"public": Capacity(running=1, waiting=0, patience_seconds=60, threads=3)})
    threads, seen = walls["public"].threads, list[float]()

    async def work(*_: object) -> None:
        seen.append(await in_thread(lambda: threads.borrowed_tokens))

    scope = {"type": "http", "path": "/products", "root_path": "", "state": {"bulkheads": walls}}
    await BulkheadMiddleware(work, "public")(scope, asyncio.Queue[Message]().get, work)
    await work()

    assert (threads.total_tokens, seen) == (3, [1, 0])
