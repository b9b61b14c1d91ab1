"""What is done after the answer: when it has gone out, and without a word to the client where it fails."""

import httpx2
from fastapi import FastAPI

from core.web.after_response import AfterResponseDep
from tests.fixtures.application import LogEntries
from tests.fixtures.asgi import Served, exchange


async def test_work_begins_when_the_answer_has_gone_out() -> None:
    app, seen = FastAPI(), []

    @app.get("/")
    async def endpoint(later: AfterResponseDep) -> str:
        async def work() -> None:
            seen.append("worked")

        later("note", work)
        return "answer"

    await exchange(Served(app, {}), "GET", "/", on_chunk=lambda _: seen.append("answered"))

    assert seen == ["answered", "worked"]


async def test_what_fails_is_logged_under_its_name(log_entries: LogEntries) -> None:
    app = FastAPI()

    @app.get("/")
    async def endpoint(later: AfterResponseDep) -> str:
        async def work() -> None:
            raise ZeroDivisionError

        later("divide", work)
        return "answer"

    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://portico.test") as client:
        response = await client.get("/")

    assert response.json() == "answer"
    (entry,) = [entry for entry in log_entries.application if entry["event"] == "background_work_failed"]
    assert (entry["level"], entry["work"]) == ("warning", "divide")
