"""Asking the assistant, and reading what it says: at once, later, and again."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import httpx2
import pytest

from commerce.assistant.runs import RunLimits
from commerce.catalog.entities import Product
from core.inference.chat import Began, ModelTimeout, ModelUnavailable, Piece
from tests.factories.chat import ScriptedModel, a_call
from tests.factories.people import a_user, signed_in
from tests.fixtures.application import key_with
from tests.fixtures.sse import event_source
from tests.public_api.assistant.asking import CHAT, RUNS, Desk, Headers, run_of, said, text_of, until

JACKET = "a hiking jacket under 120 dollars"


async def test_built_in_model_answers_with_cards_of_what_is_there(desk: Desk, products: dict[str, Product]) -> None:
    answer = await desk.answer(JACKET)

    assert answer["text"] == "This is in stock, at most $120.00:\n- Rain Jacket for $99.00: new, hiking\n"
    assert answer["cards"] == [
        {
            "product_id": products["rain-jacket"].head.id,
            "handle": "rain-jacket",
            "title": "Rain Jacket",
            "price": {"amount": 9900, "currency": "USD"},
            "price_range": {"min": {"amount": 9900, "currency": "USD"}, "max": {"amount": 9900, "currency": "USD"}},
            "available": True,
            "url": "/public/v1/products/rain-jacket",
            "image": None,
        }
    ]
    assert (answer["state"], answer["finish_reason"]) == ("done", "stop")
    assert (answer["model"], answer["version"], answer["fallback"]) == ("builtin", "1", False)
    assert answer["content_hash"].startswith("sha256:")
    assert answer["answer_id"].startswith("ans_")
    assert answer["corrections"] == {"amounts": 0, "products": 0}
    assert answer["usage"]["prompt_tokens"] > 0


async def test_stream_list_and_body_say_the_same(desk: Desk, products: dict[str, Product]) -> None:
    jacket = products["rain-jacket"].head.id
    script = [a_call("search_products", query="jacket")], [f"Try the [[{jacket}]] for $99. ", "It is dry."]
    desk.scripted(*script)

    async with desk.stream(JACKET) as source:
        run_id = run_of(source.response)
        streamed = await source.rest()
    listed = await desk.events(run_id)
    desk.scripted(*script)
    body = await desk.answer(JACKET)

    assert [each.id for each in streamed] == [str(number) for number in range(1, len(streamed) + 1)]
    assert [(each.type, each.data) for each in streamed] == [(each["type"], each["data"]) for each in listed["items"]]
    assert (listed["run_id"], listed["state"], listed["next"]) == (run_id, "done", None)
    assert text_of(streamed) == body["text"] == "Try the Rain Jacket for $99. It is dry."
    assert [each.data["title"] for each in streamed if each.type == "card"] == ["Rain Jacket"]
    assert body["cards"] == [
        {name: value for name, value in each.data.items() if name != "run_id"}
        for each in streamed
        if each.type == "card"
    ]
    assert streamed[-1].type == "done"


async def test_reader_who_comes_back_goes_on_where_they_were(desk: Desk) -> None:
    gate = asyncio.Event()
    desk.scripted(["alpha beta ", "gamma. ", gate, "delta ", "epsilon."])
    async with desk.stream("count") as source:
        run_id = run_of(source.response)
        first = await source.take(1)

    async with event_source(desk.client, f"{RUNS}/{run_id}/events", last_event_id=source.last_event_id) as resumed:
        gate.set()
        rest = await resumed.rest()
    async with event_source(desk.client, f"{RUNS}/{run_id}/events?after=1") as again:
        same = await again.rest()

    assert [int(each.id) for each in first + rest] == list(range(1, len(rest) + 2))
    assert text_of(first + rest) == "alpha beta gamma. delta epsilon."
    assert same == rest
    assert rest[-1].type == "done"


async def test_run_goes_on_when_who_asked_leaves(desk: Desk) -> None:
    gate = asyncio.Event()
    model = desk.scripted(["so ", "far ", gate, "so good."])
    async with desk.stream("go on") as source:
        run_id = run_of(source.response)
        await source.take(1)

    gate.set()
    ended = await desk.until_ended(run_id)

    assert (ended["state"], said(ended)) == ("done", "so far so good.")
    assert not model.left.is_set()


@pytest.mark.parametrize("stream", [True, False])
async def test_run_ends_with_who_asked_where_they_want_that(desk: Desk, stream: bool) -> None:
    model = desk.scripted(["so ", "far ", asyncio.Event(), "so good."])
    asking = asyncio.create_task(desk.ask("stop", stream=stream, stop_on_disconnect=True))
    await until(lambda: model.running == 1)
    (run_id,) = desk.assistant._running
    await until(lambda: bool(desk.assistant._running[run_id].meter._round.completion))

    asking.cancel()
    await asyncio.wait([asking])
    ended = await desk.until_ended(run_id)

    assert ended["state"] == "cancelled"
    assert model.left.is_set()
    assert model.running == 0


async def test_cancelled_run_stops_its_model_and_keeps_what_was_said(desk: Desk) -> None:
    model = desk.scripted(["said ", "before ", asyncio.Event(), "never said."])
    async with desk.stream("cancel me") as source:
        run_id = run_of(source.response)
        first = await source.take(1)
        cancelled = await desk.cancel(run_id)
        rest = await source.rest()
    again = await desk.cancel(run_id)

    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    assert model.left.is_set()
    assert text_of(first + rest) == "said before "
    assert (rest[-1].type, rest[-1].data["state"], rest[-1].data["finish_reason"]) == ("done", "cancelled", "cancelled")
    assert again.json() == cancelled.json()


async def test_run_is_for_whom_it_was_made(desk: Desk) -> None:
    ada = await a_user(desk.resources)
    owner = await signed_in(desk.resources, ada)
    others = [await signed_in(desk.resources, await a_user(desk.resources, role)) for role in ("customer", "admin")]
    others += [await key_with(desk.resources, "orders:read"), {}]
    run_id = (await desk.answer(JACKET, owner))["run_id"]
    unknown = (await desk.answer(JACKET))["run_id"]

    answers = [
        await call(f"{RUNS}/{run_id}/{what}", headers=each)
        for each in others
        for call, what in ((desk.client.get, "events"), (desk.client.post, "cancel"))
    ]
    missing = await desk.client.get(f"{RUNS}/run_nothing/events")
    nul = await desk.client.get(f"{RUNS}/a%00b/events")

    assert {(each.status_code, each.json()["code"]) for each in answers} == {(404, "assistant_run_not_found")}
    assert (missing.status_code, nul.status_code) == (404, 404)
    assert (await desk.events(run_id, owner))["state"] == "done"
    assert (await desk.events(run_id, await signed_in(desk.resources, ada)))["state"] == "done"
    assert (await desk.events(unknown, others[0]))["state"] == "done"  # its id is all that there is to know


async def test_model_that_fails_ends_the_run_with_what_it_had_said(desk: Desk) -> None:
    desk.scripted(["So far so good. ", ModelUnavailable("it fell over")])

    async with desk.stream("fail") as source:
        run_id = run_of(source.response)
        events = await source.rest()
    refused = await desk.ask("fail")

    assert text_of(events) == "So far so good. "
    assert (events[-1].type, events[-1].data["code"], events[-1].data["retryable"]) == (
        "error",
        "model_unavailable",
        True,
    )
    assert (await desk.events(run_id))["state"] == "error"
    assert (refused.status_code, refused.json()["code"], refused.json()["retryable"]) == (
        503,
        "model_unavailable",
        True,
    )


async def test_run_that_takes_too_long_ends(desk: Desk) -> None:
    desk.assistant._limits = RunLimits(seconds=0.05)
    desk.scripted(["Well ", asyncio.Event()])

    late = await desk.ask("be slow")

    assert (late.status_code, late.json()["code"]) == (503, "run_overdue")


@pytest.mark.parametrize(("seconds", "code"), [(0.5, "run_overdue"), (60, "model_timeout")])
async def test_model_timeout_is_told_as_the_run_s_where_both_are_over(desk: Desk, seconds: float, code: str) -> None:
    class Late(ScriptedModel):
        async def stream(self, *_asked: Any, deadline: float, **_more: Any) -> AsyncGenerator[Piece, None]:
            yield Began(self.provenance)
            while seconds < 1 and asyncio.get_running_loop().time() < deadline:
                pass  # and the loop does nothing else: the model is the first to see it
            raise ModelTimeout

    desk.assistant._limits = RunLimits(seconds=seconds)
    desk.assistant.model = Late()

    late = await desk.ask("be slow")

    assert (late.status_code, late.json()["code"], late.json()["retryable"]) == (503, code, True)


async def test_run_ends_with_the_credential_that_asked(desk: Desk) -> None:
    user = await a_user(desk.resources)
    person = await signed_in(desk.resources, user)
    model = desk.scripted(["So far so good. ", asyncio.Event()])
    async with desk.stream("be slow", person) as source:
        run_id = run_of(source.response)
        await until(lambda: model.running == 1)
        waiting = asyncio.create_task(desk.ask("be slow", person))
        await until(lambda: model.running == 2)

        assert (await desk.client.post("/public/v1/auth/logout", headers=person)).status_code == 204
        events, refused = await source.rest(), await waiting

    assert text_of(events) == "So far so good. "
    assert (events[-1].type, events[-1].data["code"], events[-1].data["retryable"]) == (
        "error",
        "credential_revoked",
        False,
    )
    assert (refused.status_code, refused.json()["code"]) == (401, "credential_revoked")
    assert model.running == 0
    assert (await desk.events(run_id, await signed_in(desk.resources, user)))["state"] == "error"


async def test_run_goes_on_where_the_token_that_asked_expires(desk: Desk, customer: Headers) -> None:
    goes_on, watch = asyncio.Event(), desk.running.state["watch"]
    model = desk.scripted(["Well ", goes_on, "done."])
    waiting = asyncio.create_task(desk.ask("be slow", customer))
    await until(lambda: model.running == 1)

    (followed,) = watch._followed
    watch._end(followed, "expired")  # what its timer does
    goes_on.set()

    assert (await waiting).json()["text"] == "Well done."


async def test_credential_is_followed_as_long_as_its_run_lasts(desk: Desk, customer: Headers) -> None:
    watch = desk.running.state["watch"]
    desk.scripted(["Well ", asyncio.Event()])
    async with desk.stream("be slow") as anonymous, desk.stream("be slow", customer) as own:
        followed = len(watch._followed)
        for each, headers in ((anonymous, None), (own, customer)):
            await desk.cancel(run_of(each.response), headers)

    assert followed == 1
    await until(lambda: not watch._followed)


async def test_key_gives_the_run_that_it_began(desk: Desk, customer: Headers) -> None:
    model = desk.scripted(["first."], ["second."])
    keyed = {**customer, "Idempotency-Key": "k1"}

    first = await desk.ask("again", keyed)
    second = await desk.ask("again", keyed)
    async with desk.stream("again", {**keyed, "Idempotency-Key": "k2"}) as source:
        streamed = text_of(await source.rest())
    other = await desk.ask("something else", keyed)

    assert first.json() == second.json()
    assert (first.headers.get("idempotency-replayed"), second.headers["idempotency-replayed"]) == (None, "true")
    assert (first.json()["text"], streamed) == ("first.", "second.")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert len(model.asked) == 2


async def test_key_whose_run_failed_begins_another(desk: Desk) -> None:
    model = desk.scripted([ModelUnavailable()], ["better."])
    keyed = {"Idempotency-Key": "k1"}

    failed = await desk.ask("retry", keyed)
    retried = await desk.ask("retry", keyed)
    replayed = await desk.ask("retry", keyed)

    assert failed.status_code == 503
    assert (retried.json()["text"], retried.headers.get("idempotency-replayed")) == ("better.", None)
    assert replayed.json() == retried.json()
    assert len(model.asked) == 2


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"messages": []}, "/messages"),
        ({"messages": [{"role": "user", "content": "x"}] * 41}, "/messages"),
        ({"messages": [{"role": "user", "content": "x" * 4001}]}, "/messages/0/content"),
        ({"messages": [{"role": "user", "content": "  "}]}, "/messages/0/content"),
        ({"messages": [{"role": "user", "content": "a\0b"}]}, "/messages/0/content"),
        ({"messages": [{"role": "user", "content": "x" * 4000}] * 5}, "/messages"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "/messages/0/role"),
        ({"messages": [{"role": "system", "content": "x"}]}, "/messages/0/role"),
        ({"messages": [{"role": "user", "content": "x"}], "model": "other"}, "/model"),
    ],
)
async def test_question_out_of_bounds_is_refused(desk: Desk, body: dict[str, object], pointer: str) -> None:
    model = desk.scripted(["never"])

    refused = await desk.client.post(CHAT, json=body)

    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, pointer)
    assert model.asked == []


@pytest.mark.parametrize("cursor", ["x", "-1", "99999999999"])
async def test_cursor_that_is_no_number_is_refused(desk: Desk, cursor: str) -> None:
    run_id = (await desk.answer(JACKET))["run_id"]

    by_header = await desk.client.get(f"{RUNS}/{run_id}/events", headers={"Last-Event-ID": cursor})
    by_query = await desk.client.get(f"{RUNS}/{run_id}/events", params={"after": cursor})

    assert (by_header.status_code, by_query.status_code) == (422, 422)


async def test_cursor_after_the_end_ends_at_once(desk: Desk) -> None:
    run_id = (await desk.answer(JACKET))["run_id"]

    async with event_source(desk.client, f"{RUNS}/{run_id}/events?after=1000") as source:
        assert await source.rest() == []
    assert (await desk.events(run_id, after=1000))["items"] == []


async def test_drain_lets_answers_end_and_tells_readers_to_come_back(desk: Desk) -> None:
    gate = asyncio.Event()
    desk.scripted(["almost ", "done ", gate, "now."])
    async with desk.stream("drain") as source:
        await source.take(1)
        run_id = run_of(source.response)
        desk.running.state["draining"].set()
        rest = await source.rest()
        refused = await desk.ask("another")
        gate.set()
        await until(lambda: not desk.assistant._running)

    page = await desk.events(run_id)
    assert (rest[-1].type, rest[-1].data["after"]) == ("reconnect", 1)
    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    assert (page["state"], said(page)) == ("done", "almost done now.")


async def test_answer_that_does_not_end_while_the_server_drains_is_interrupted(desk: Desk) -> None:
    desk.assistant._limits = RunLimits(drain_seconds=0.05)
    model = desk.scripted(["never ", "done ", asyncio.Event()])
    async with desk.stream("drain") as source:
        await source.take(1)
        run_id = run_of(source.response)
        desk.running.state["draining"].set()
        await until(lambda: not desk.assistant._running)

    page = await desk.events(run_id)
    assert (page["state"], said(page)) == ("error", "never done ")
    assert (page["items"][-1]["data"]["code"], page["items"][-1]["data"]["retryable"]) == ("run_interrupted", True)
    assert model.left.is_set()


async def test_place_is_given_back_when_a_question_is_refused(desk: Desk) -> None:
    for _ in range(6):
        refused = await desk.client.post(CHAT, json={"messages": []})
        assert refused.status_code == 422

    assert not desk.assistant._callers


async def test_of_one_caller_so_many_are_answered_at_a_time(desk: Desk) -> None:
    gate = asyncio.Event()
    model = desk.scripted([gate, "there."])
    asking = [asyncio.create_task(desk.ask("wait", stream=True)) for _ in range(4)]
    await until(lambda: model.running == 4)

    refused = await desk.ask("one more")
    gate.set()
    answers = [await each for each in asking]

    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_runs")
    assert [each.status_code for each in answers] == [200] * 4
    assert not desk.assistant._callers


async def test_what_the_process_has_no_turn_for_waits(desk: Desk) -> None:
    desk.assistant._turns = asyncio.Semaphore(1)
    gate = asyncio.Event()
    model = desk.scripted([gate, "first."], ["second."])
    asking = [asyncio.create_task(desk.ask(question)) for question in ("one", "two")]
    await until(lambda: len(desk.assistant._running) == 2)
    waiting = list(desk.assistant._running)[1]

    state = (await desk.events(waiting))["state"]
    gate.set()
    answers: list[httpx2.Response] = [await each for each in asking]

    assert state == "queued"
    assert sorted(each.json()["text"] for each in answers) == ["first.", "second."]
    assert len(model.asked) == 2
