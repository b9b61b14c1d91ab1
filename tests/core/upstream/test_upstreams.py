"""Upstreams over real sockets: slow, broken, down and recovering."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import REGISTRY

from core.context import RequestContext, enter_request, leave_request
from core.ids import new_id
from core.upstream.calls import BrokenAnswer, Question, Reply, Upstream, UpstreamFailed
from core.upstream.client import MOST_BYTES, open_client
from core.upstream.kept import MOST_AT_ONCE
from core.upstream.upstreams import Upstreams
from tests.factories.carriers import Behave, Carrier, a_carrier, cutting, offering, replying
from tests.fixtures.application import LogEntries

SECRET = "hunter2-is-secret"
ASKED = Question(b'{"q":1}', repeatable=True)


def read(body: bytes) -> Any:
    try:
        return json.loads(body)["options"][0]["code"]
    except ValueError:
        raise BrokenAnswer("no JSON") from None


class Case:
    """One upstream, its time, and what Prometheus learned."""

    def __init__(self, carrier: Carrier) -> None:
        self.carrier = carrier
        self.name = new_id("up")
        self.seconds = 0.0
        self.upstreams: Upstreams

    def connect(self, send: Any, **changes: Any) -> None:
        address = f"{self.carrier.url}?key={SECRET}"
        upstream = replace(Upstream(self.name, 30.0, address, {"X-Key": SECRET}), **changes)
        self.upstreams = Upstreams([upstream], send, now=lambda: self.seconds, chance=lambda: 0.0)

    async def ask(self, question: Question = ASKED, *, within: float = 30) -> Reply[Any]:
        deadline = asyncio.get_running_loop().time() + within
        return await self.upstreams.ask(self.name, question, read, deadline=deadline)

    async def refusal(self, question: Question = ASKED, *, within: float = 30) -> UpstreamFailed:
        with pytest.raises(UpstreamFailed) as refused:
            await self.ask(question, within=within)
        return refused.value

    def counted(self) -> dict[str, float]:
        outcomes = ("ok", "timeout", "failed", "broken", "refused", "paused", "cancelled")
        found = {
            outcome: REGISTRY.get_sample_value(
                "portico_upstream_requests_total", {"upstream": self.name, "outcome": outcome}
            )
            for outcome in outcomes
        }
        return {outcome: value for outcome, value in found.items() if value}

    def sample(self, name: str) -> float | None:
        return REGISTRY.get_sample_value(f"portico_upstream_{name}", {"upstream": self.name})


@pytest.fixture
async def case() -> AsyncIterator[Case]:
    async with AsyncExitStack() as stack:
        found = Case(await stack.enter_async_context(a_carrier()))
        found.connect(await stack.enter_async_context(open_client(allow_private=True)))
        yield found


async def test_answer_is_read_and_counted(case: Case) -> None:
    assert await case.ask() == Reply("ground")

    headers, asked = case.carrier.asked[0]
    assert asked == {"q": 1}
    assert (headers["x-key"], headers["content-type"], headers["accept-encoding"]) == (
        SECRET,
        "application/json",
        "identity",
    )
    assert case.counted() == {"ok": 1}
    assert case.sample("seconds_count") == 1
    assert case.sample("breaker") == 0


async def test_each_try_is_in_the_receipt_and_is_sent_the_trace(case: Case) -> None:
    async def twice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        case.seconds += 0.25
        await (replying(b"", 503) if len(case.carrier.asked) == 1 else offering())(reader, writer)

    case.carrier.behave = twice
    context = RequestContext("r", "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", sampled=False)

    token = enter_request(context)
    await case.ask()
    leave_request(token)

    assert context.notes is not None
    assert context.notes.parts == {f"upstream:{case.name}": [2, 0.5]}
    sent = [headers["traceparent"] for headers, _ in case.carrier.asked]
    assert sent == ["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"] * 2


async def test_outside_of_any_request_no_trace_is_sent(case: Case) -> None:
    await case.ask()

    assert "traceparent" not in case.carrier.asked[0][0]


async def test_late_upstream_is_let_go_at_the_deadline(case: Case) -> None:
    case.carrier.behave = case.carrier.holding

    failure = await case.refusal(within=0.1)

    await case.carrier.left.wait()
    assert failure.outcome == "timeout"
    assert case.counted() == {"timeout": 1}


async def test_upstreams_own_timeout_is_not_beyond_the_deadline_but_may_be_before(case: Case) -> None:
    case.connect(case.upstreams._send, timeout_seconds=0.05)
    case.carrier.behave = case.carrier.holding

    assert (await case.refusal(within=300)).outcome == "timeout"

    await case.carrier.left.wait()


@pytest.mark.parametrize(
    ("behave", "outcome", "times"),
    [
        (replying(b"", 500), "failed", 2),
        (replying(b"", 503), "failed", 2),
        (cutting, "failed", 2),
        (replying(b"", 429), "failed", 1),
        (replying(b"", 404), "refused", 1),
        (replying(b"", 302, Location="http://127.0.0.1:1/"), "broken", 1),
        (replying(b'{"options": []}', 201), "broken", 1),
        (replying(b"<html>Sign in</html>", Content_Type="text/html"), "broken", 1),
        (replying(b"x" * (MOST_BYTES + 1)), "broken", 1),
    ],
)
async def test_failure_is_told_apart_and_only_what_passes_is_repeated(
    case: Case, behave: Behave, outcome: str, times: int
) -> None:
    case.carrier.behave = behave

    failure = await case.refusal()

    assert failure.outcome == outcome
    assert len(case.carrier.asked) == times
    assert case.counted() == {outcome: times}
    assert (case.sample("retries_total") or 0) == times - 1


async def test_endless_body_is_cut(case: Case) -> None:
    case.carrier.behave = case.carrier.endless

    failure = await case.refusal()

    await case.carrier.left.wait()
    assert failure.outcome == "broken"


async def test_nobody_there_is_a_failure(case: Case) -> None:
    async with a_carrier() as gone:
        pass
    case.connect(case.upstreams._send, url=gone.url)

    assert (await case.refusal()).outcome == "failed"
    assert case.counted() == {"failed": 2}


async def test_question_that_may_not_be_repeated_is_asked_once(case: Case) -> None:
    case.carrier.behave = replying(b"", 503)

    await case.refusal(Question(b"{}"))

    assert len(case.carrier.asked) == 1


async def test_second_try_may_succeed(case: Case) -> None:
    async def once(*streams: Any) -> None:
        case.carrier.behave = offering()
        await replying(b"", 503)(*streams)

    case.carrier.behave = once

    assert await case.ask() == Reply("ground")
    assert case.counted() == {"failed": 1, "ok": 1}


async def test_retries_are_a_tenth_of_what_is_asked(case: Case) -> None:
    case.carrier.behave = replying(b"", 429)
    for _ in range(4):
        await case.refusal()
    case.seconds += 60  # the breaker forgets them, the budget does not
    case.carrier.behave = replying(b"", 503)
    await case.refusal()
    case.seconds += 60

    await case.refusal()

    assert case.sample("retries_total") == 1
    assert len(case.carrier.asked) == 4 + 2 + 1


async def test_last_good_answer_is_given_for_want_of_a_new_one(case: Case) -> None:
    await case.ask()
    case.seconds += 120
    case.carrier.behave = case.carrier.holding

    reply = await case.ask(within=0.1)

    await case.carrier.left.wait()
    assert reply == Reply("ground", 120.0)
    assert case.sample("stale_total") == 1
    assert (await case.refusal(Question(b'{"q":2}'), within=0.1)).outcome == "timeout"


async def test_broken_answer_is_never_kept(case: Case) -> None:
    case.carrier.behave = replying(b"<html>")
    await case.refusal()
    case.carrier.behave = replying(b"", 404)

    assert (await case.refusal()).outcome == "refused"


async def open_breaker(case: Case) -> None:
    case.carrier.behave = replying(b"", 429)
    for _ in range(5):
        await case.refusal()
    assert case.sample("breaker") == 2


async def test_upstream_that_fails_is_left_alone(case: Case) -> None:
    await open_breaker(case)

    failure = await case.refusal()

    assert failure.outcome == "paused"
    assert len(case.carrier.asked) == 5
    assert case.counted() == {"failed": 5, "paused": 1}


async def test_upstream_that_recovers_is_asked_by_exactly_one_first(case: Case) -> None:
    await open_breaker(case)
    case.seconds += 10
    case.carrier.behave = case.carrier.waiting
    case.carrier.reached.clear()
    probe = asyncio.create_task(case.ask())
    await case.carrier.reached.wait()

    others = [await case.refusal() for _ in range(3)]
    assert case.sample("breaker") == 1
    case.carrier.released.set()

    assert await probe == Reply("ground")
    assert [failure.outcome for failure in others] == ["paused"] * 3
    assert len(case.carrier.asked) == 6
    assert case.sample("breaker") == 0
    assert await case.ask() == Reply("ground")


async def test_probe_that_nobody_waits_for_any_more_leaves_its_place_to_another(case: Case) -> None:
    await open_breaker(case)
    case.seconds += 10
    case.carrier.behave = case.carrier.holding
    case.carrier.reached.clear()
    probe = asyncio.create_task(case.ask())
    await case.carrier.reached.wait()

    probe.cancel()
    await asyncio.wait([probe])
    await case.carrier.left.wait()
    case.carrier.behave = offering()

    assert await case.ask() == Reply("ground")
    assert case.counted() == {"failed": 5, "cancelled": 1, "ok": 1}


async def test_refusals_and_departures_do_not_pause_an_upstream(case: Case) -> None:
    case.carrier.behave = replying(b"", 422)

    for _ in range(10):
        await case.refusal()

    assert case.sample("breaker") == 0


async def test_slow_upstream_holds_no_more_than_its_share(case: Case) -> None:
    case.carrier.behave = case.carrier.waiting
    waiting = [asyncio.create_task(case.ask(Question(b"%d" % number))) for number in range(MOST_AT_ONCE)]
    await asyncio.sleep(0)

    failure = await case.refusal()

    case.carrier.released.set()
    assert failure.outcome == "paused"
    assert await asyncio.gather(*waiting) == [Reply("ground")] * MOST_AT_ONCE
    assert await case.ask() == Reply("ground")


async def test_no_cookie_is_kept(case: Case) -> None:
    case.carrier.behave = replying(b'{"options": [{"code": "a"}]}', Set_Cookie="a=b")

    await case.ask()
    await case.ask()

    assert "cookie" not in case.carrier.asked[1][0]


async def test_environments_proxy_is_not_used(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    async with open_client(allow_private=True) as send:
        case.connect(send)

        assert await case.ask() == Reply("ground")


async def test_given_proxy_is_used(case: Case) -> None:
    async with a_carrier() as proxy, open_client(allow_private=False, proxy=proxy.url.removesuffix("/quotes")) as send:
        case.connect(send, url="http://carrier.invalid/quotes")

        assert await case.ask() == Reply("ground")

    assert proxy.asked[0][0]["host"] == "carrier.invalid"


@pytest.mark.parametrize(("private_hosts", "outcomes"), [((), {"failed": 2}), (("127.0.0.1",), {"ok": 1})])
async def test_private_address_is_called_only_where_it_is_meant(
    case: Case, private_hosts: tuple[str, ...], outcomes: dict[str, int]
) -> None:
    async with open_client(allow_private=False, private_hosts=private_hosts) as send:
        case.connect(send)
        await (case.ask if private_hosts else case.refusal)()

    assert case.counted() == outcomes
    assert len(case.carrier.asked) == len(private_hosts)


@pytest.mark.parametrize("behave", [offering(), replying(b"", 500), replying(b"<html>"), cutting])
async def test_no_log_holds_a_secret(
    case: Case, log_entries: LogEntries, behave: Callable[..., Any], capfd: pytest.CaptureFixture[str]
) -> None:
    case.carrier.behave = behave

    for _ in range(6):
        await asyncio.gather(case.ask(), return_exceptions=True)

    assert SECRET not in f"{log_entries} {case.upstreams._kept} {capfd.readouterr()}"
    assert SECRET not in repr(Upstream("a", 1, f"https://a.example/?{SECRET}", {"X": SECRET}))
