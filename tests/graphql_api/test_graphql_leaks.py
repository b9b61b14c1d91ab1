"""Errors tell nothing of what is inside, whatever fails and over whatever transport; the log tells all of it."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from datetime import datetime
from enum import Enum
from typing import Annotated, Any

import httpx2
import pytest
import strawberry
from graphql import GraphQLError
from sqlalchemy.exc import OperationalError
from strawberry.dataloader import DataLoader
from strawberry.schema.config import StrawberryConfig

from core.database import DatabaseUnavailable
from core.settings import Settings
from graphql_api import admission, limits
from graphql_api.context import Context
from graphql_api.scalars import DATE_TIME
from graphql_api.schema import Operation, Schema
from tests.fixtures.application import LogEntries
from tests.fixtures.asgi import Served, client_of, exchange
from tests.fixtures.probes import SECRET
from tests.graphql_api.own_door import ADDRESS, door_of
from tests.graphql_api.subscribing import connected, run

INTERNAL = "an internal error was recorded under this request id"
WEB = {"X-Client-Name": "web", "X-Client-Version": "1.4.0", "X-Request-ID": "req-1"}


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError(SECRET)


class Telling:
    def __repr__(self) -> str:
        return SECRET


@strawberry.enum
class Colour(Enum):
    RED = "red"


@strawberry.type
class Box:
    colour: Colour
    number: int


@strawberry.type
class Bag:
    text: str


async def none_of(keys: list[str]) -> list[int]:
    raise LookupError(f"{SECRET} {keys}")


RAISED: dict[str, Callable[[], Exception]] = {
    "error": lambda: RuntimeError(SECRET),
    "unicode": lambda: ValueError(f"{SECRET} \ud800 \x00 é 💥 </script>"),
    "group": lambda: ExceptionGroup(SECRET, [ValueError(SECRET), KeyError(SECRET)]),
    "sql": lambda: OperationalError(f"SELECT {SECRET}", {"password": SECRET}, Exception(SECRET)),
    "graphql": lambda: GraphQLError(SECRET),
    "extended": lambda: GraphQLError(SECRET, extensions={"code": SECRET, "sql": SECRET}),
    "wrapped": lambda: GraphQLError(SECRET, original_error=KeyError(SECRET)),
    "recursion": lambda: RecursionError(SECRET),
    "timeout": lambda: TimeoutError(SECRET),
    "assertion": lambda: AssertionError(SECRET),
    "stop": lambda: StopAsyncIteration(SECRET),
}


def away() -> Exception:
    """As `core.database` raises it."""
    error: Exception = DatabaseUnavailable(retry_after_seconds=2)
    error.__cause__ = OSError(SECRET)
    return error


# Values that do not fit the type of their field.
VALUES: dict[str, Any] = {
    "number": SECRET,
    "big": 2**31,
    "notANumber": float("nan"),
    "text": {"password": SECRET},
    "flag": SECRET,
    "time": SECRET,
    "colour": SECRET,
    "missing": None,
    "numbers": [1, SECRET, 3],
    "noList": 7,
    "box": Telling(),
    "either": Telling(),
    "odd": Box(colour=SECRET, number=1),  # type: ignore[arg-type]
}


def giving(name: str) -> Any:
    return strawberry.field(resolver=lambda: VALUES[name])


def made(how: str) -> Exception:
    return away() if how == "away" else RAISED[how]()


async def fails(how: str, late: bool = False) -> int:
    if late:
        await asyncio.sleep(0)
    raise made(how)


async def loads() -> int:
    return await DataLoader(none_of).load("a")


@strawberry.input
class Given:
    password: str
    colour: Colour | None = None
    time: datetime | None = None


def fine(number: int = 1, given: Given | None = None) -> int:  # noqa: ARG001
    return number


CONFIG = StrawberryConfig(scalar_map={datetime: DATE_TIME})


@strawberry.type
class Query:
    fine: int = strawberry.field(resolver=fine)
    number: int | None = giving("number")
    big: int | None = giving("big")
    not_a_number: float | None = giving("notANumber")
    text: str | None = giving("text")
    flag: bool | None = giving("flag")
    time: datetime | None = giving("time")
    colour: Colour | None = giving("colour")
    missing: int = giving("missing")
    numbers: list[int] | None = giving("numbers")
    no_list: list[int] | None = giving("noList")
    box: Box | None = giving("box")
    either: Annotated[Box | Bag, strawberry.union("Either")] | None = giving("either")
    odd: Box | None = giving("odd")
    fails: int | None = strawberry.field(resolver=fails)
    loads: int | None = strawberry.field(resolver=loads)


async def breaks(how: str, after: int = 0) -> AsyncGenerator[int, None]:
    for number in range(after):
        yield number
    raise made(how)


@strawberry.type
class Subscription:
    breaks = strawberry.subscription(resolver=breaks)


FIELDS = [
    *("number", "big", "notANumber", "text", "flag", "time", "colour", "missing", "numbers", "noList"),
    *("box { number }", "either { __typename }", "odd { colour }", "loads"),
    *(f'fails(how: "{how}")' for how in RAISED),
    *(f'fails(how: "{how}", late: true)' for how in RAISED),
]
Send = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def door(served: Served, settings: Settings) -> Served:
    """One whose fields fail."""
    schema = Schema(query=Query, subscription=Subscription, production=True, config=CONFIG)
    return door_of(served, settings, schema)


@pytest.fixture
async def client(door: Served) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(door, headers=WEB) as client:
        yield client


@pytest.fixture(params=["application/json", "application/graphql-response+json", "text/event-stream", "socket"])
def send(request: pytest.FixtureRequest, client: httpx2.AsyncClient) -> Send:
    """The result of an operation, whatever way it is sent."""

    async def over_http(query: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
        # By hand: the client would not encode half a surrogate pair.
        content = json.dumps({"query": query, "variables": variables})
        headers = {"Accept": request.param, "Content-Type": "application/json"}
        answer = await client.post(ADDRESS, content=content, headers=headers)
        if request.param == "text/event-stream":
            (event,) = [block for block in answer.text.split("\n\n") if block.startswith("event: next")]
            return dict(json.loads(event.partition("data: ")[2]))
        return dict(answer.json())

    async def over_socket(query: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
        async with connected(client, ADDRESS, WEB) as socket:
            answer = await run(socket, query, **(variables or {}))
        return {"errors": answer["payload"]} if answer["type"] == "error" else dict(answer["payload"])

    return over_socket if request.param == "socket" else over_http


def assert_tells_nothing(error: dict[str, Any]) -> None:
    assert error.keys() <= {"message", "locations", "path", "extensions"}
    assert error["message"] == INTERNAL
    assert error["extensions"] == {"code": "internal_error", "request_id": "req-1", "retryable": False}


def assert_logged(entry: dict[str, Any]) -> None:
    assert (entry["level"], entry["event"]) == ("error", "internal_error")
    assert (entry["request_id"], entry["client_name"], entry["client_version"]) == ("req-1", "web", "1.4.0")
    assert entry["exception"]


async def test_field_that_fails_tells_nothing_and_is_logged_once(send: Send, log_entries: LogEntries) -> None:
    for field in FIELDS:
        log_entries.clear()

        body = await send(f"{{ {field} }}")

        assert SECRET not in json.dumps(body), field
        (error,) = body["errors"]
        assert error["path"][0] == field.partition("(")[0].partition(" ")[0]
        assert_tells_nothing(error)
        (entry,) = log_entries.application
        assert_logged(entry)


@pytest.mark.parametrize("after", [0, 2])
@pytest.mark.parametrize("how", ["error", "unicode", "sql"])
async def test_stream_that_breaks_tells_nothing(
    client: httpx2.AsyncClient, log_entries: LogEntries, how: str, after: int
) -> None:
    query = f'subscription {{ breaks(how: "{how}", after: {after}) }}'

    streamed = await client.post(ADDRESS, json={"query": query}, headers={"Accept": "text/event-stream"})
    async with connected(client, ADDRESS, WEB) as socket:
        await socket.send_json({"id": "1", "type": "subscribe", "payload": {"query": query}})
        messages = [await socket.receive_json() for _ in range(after + 1)]

    events = [json.loads(line[6:]) for line in streamed.text.splitlines() if line.startswith("data: {")]
    for told in (events, [message["payload"] for message in messages]):
        assert [event["data"] for event in told] == [*({"breaks": number} for number in range(after)), None]
        assert_tells_nothing(told[-1]["errors"][0])
    assert SECRET not in streamed.text + json.dumps(messages)
    for entry in log_entries.application:
        assert_logged(entry)
    assert len(log_entries.application) == 2


def _fail(*_arguments: Any, **_named: Any) -> Any:
    raise RuntimeError(SECRET)


# Around an operation: what is not a field.
PLACES: dict[str, tuple[Any, str]] = {
    "context": (Context, "for_operation"),
    "parsing": (limits, "parsed"),
    "principal": (Context, "renew_principal"),
    "validation": (limits, "faults"),
    "deprecations": (admission, "used"),
    "results": (Operation, "get_results"),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("accept", ["application/json", "application/graphql-response+json", "text/event-stream"])
async def test_what_fails_around_an_operation_tells_nothing(
    door: Served, log_entries: LogEntries, monkeypatch: pytest.MonkeyPatch, place: str, accept: str
) -> None:
    monkeypatch.setattr(*PLACES[place], _fail)
    headers = {**WEB, "Content-Type": "application/json", "Accept": accept}

    answer = await exchange(door, "POST", ADDRESS, list(headers.items()), chunks=[b'{"query": "{ fine }"}'])

    body = b"".join(answer.chunks).decode()
    assert SECRET not in body
    assert "internal_error" in body or not answer.complete
    assert log_entries.application
    for entry in log_entries.application:
        assert_logged(entry)


@pytest.mark.parametrize("place", PLACES)
async def test_what_fails_around_an_operation_tells_a_socket_nothing(
    client: httpx2.AsyncClient, log_entries: LogEntries, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setattr(*PLACES[place], _fail)

    async with connected(client, ADDRESS, WEB) as socket:
        await socket.send_json({"id": "1", "type": "subscribe", "payload": {"query": "{ fine }"}})
        message = await socket.receive_json()

    assert SECRET not in json.dumps(message)
    assert message["type"] in ("error", "next", "complete")
    assert [(entry["level"], entry["client_name"]) for entry in log_entries.application] == [("error", "web")]


async def test_database_that_is_away_is_said_and_nothing_of_it(send: Send, log_entries: LogEntries) -> None:
    (error,) = (await send('{ fails(how: "away") }'))["errors"]

    assert SECRET not in json.dumps(error)
    assert error["extensions"] == {
        "code": "database_unavailable",
        "request_id": "req-1",
        "retryable": True,
        "retry_after_seconds": 2,
    }
    (entry,) = log_entries.application
    assert (entry["level"], entry["client_name"], entry["request_id"]) == ("warning", "web", "req-1")
    assert SECRET in entry["reason"]


@pytest.mark.parametrize(
    ("query", "variables", "message"),
    [
        ("{ fine(number: {a: 1}) }", {}, "Int cannot represent non-integer value"),
        ("{ fine(number: 1e9) }", {}, "Int cannot represent non-integer value"),
        ("{ fine(given: {password: 7}) }", {}, "String cannot represent a non string value"),
        (
            "query($n: Int!) { fine(number: $n) }",
            {"n": {"a": 1}},
            "Variable '$n' has invalid value: Int cannot represent non-integer value",
        ),
        (
            "query($b: Given) { fine(given: $b) }",
            {"b": {"password": ["a: b"]}},
            "Variable '$b' has invalid value at .password: String cannot represent a non string value",
        ),
        (
            "query($b: Given) { fine(given: $b) }",
            {"b": {"password": "", "colour": "BLUE"}},
            "Variable '$b' has invalid value at .colour: Value 'BLUE' does not exist in 'Colour' enum.",
        ),
    ],
)
async def test_callers_learn_what_is_wrong(
    client: httpx2.AsyncClient, query: str, variables: dict[str, Any], message: str
) -> None:
    body = (await client.post(ADDRESS, json={"query": query, "variables": variables})).json()

    assert [error["message"] for error in body["errors"]] == [message]


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ("query($n: Int!) { fine(number: $n) }", {"n": SECRET}),
        ("query($n: Int!) { fine(number: $n) }", {"n": {"password": SECRET}}),
        ("query($n: Int!) { fine(number: $n) }", {"n": None}),
        ("query($n: Int!) { fine(number: $n) }", {}),
        ("query($n: Int = 1) { fine(number: $n) }", {"n": None}),
        ("query($b: Given) { fine(given: $b) }", {"b": {"password": [SECRET], "nope": 1}}),
        ("query($b: Given) { fine(given: $b) }", {"b": {"password": SECRET, "colour": [SECRET, SECRET]}}),
        ("query($b: Given) { fine(given: $b) }", {"b": {"password": SECRET, "time": SECRET}}),
        ("query($b: Given) { fine(given: $b) }", {"b": [SECRET]}),
        ('query($t: DateTime) { fine(given: {password: "", time: $t}) }', {"t": f"\ud83d{SECRET}"}),
    ],
)
async def test_variable_that_does_not_fit_is_the_callers_fault_and_is_not_repeated(
    send: Send, log_entries: LogEntries, query: str, variables: dict[str, Any]
) -> None:
    body = await send(query, variables)

    told = {"code": "invalid_request", "request_id": "req-1", "retryable": False}
    assert [error["extensions"] for error in body["errors"]] == [told] * len(body["errors"])
    assert SECRET not in json.dumps(body)
    assert log_entries.application == []
