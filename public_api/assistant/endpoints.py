"""REST of the assistant."""

from functools import partial
from typing import Annotated

from fastapi import Depends, Header, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import ClientDisconnect, HTTPConnection

from commerce.accounts.errors import CredentialRevoked, InvalidApiKey, TokenExpired
from commerce.accounts.throttling import caller_of
from commerce.assistant.errors import (
    AssistantBusy,
    InvalidConversation,
    RunInterrupted,
    RunNotFound,
    RunOverdue,
    TooManyRuns,
)
from commerce.assistant.feed import cancelled
from commerce.assistant.repository import PAGE, RunRepository
from commerce.assistant.runs import Assistant
from core.errors import FieldError, Invalid, Unauthenticated
from core.idempotency import IdempotencyInProgress, IdempotencyKeyReused, OnceKey
from core.inference.chat import ModelFailed
from core.streams.places import TooManyStreams
from core.web.dependencies import BroadcastDep, ClientAddressDep, ResourcesDep
from core.web.event_stream import DESCRIPTION, EventStreamResponse
from core.web.idempotency import InvalidIdempotencyKey, get_idempotency_key
from core.web.leaving import until_left
from public_api.assistant.schemas import (
    AssistantAnswer,
    AssistantEvents,
    AssistantRun,
    ChatRequest,
    event_schema,
    run_schema,
)
from public_api.assistant.streaming import KIND, WAITING, Timing, chunks, get_timing, whole
from public_api.auth import PrincipalDep
from public_api.errors import problems
from public_api.routing import public_router

router = public_router(prefix="/assistant", tags=["Assistant"])
_NO_STORE = {"Cache-Control": "private, no-store"}
_ENDED_SECONDS = 2.0  # a cancelled run is over by then, mostly


async def get_assistant(connection: HTTPConnection) -> Assistant:
    """This process's."""
    assistant: Assistant = connection.state.assistant
    return assistant


AssistantDep = Annotated[Assistant, Depends(get_assistant)]
TimingDep = Annotated[Timing, Depends(get_timing)]


@router.post(
    "/chat",
    response_model=AssistantAnswer,
    summary="Ask the assistant",
    responses={
        200: DESCRIPTION,
        **problems(
            Invalid,
            InvalidConversation,
            TooManyRuns,
            TooManyStreams,
            AssistantBusy,
            ModelFailed,
            RunInterrupted,
            RunOverdue,
            Unauthenticated,
            InvalidApiKey,
            TokenExpired,
            CredentialRevoked,
            InvalidIdempotencyKey,
            IdempotencyKeyReused,
            IdempotencyInProgress,
        ),
    },
)
async def ask_assistant(
    request: Request,
    body: ChatRequest,
    principal: PrincipalDep,
    address: ClientAddressDep,
    resources: ResourcesDep,
    broadcast: BroadcastDep,
    assistant: AssistantDep,
    timing: TimingDep,
    key: Annotated[str | None, Depends(get_idempotency_key)],
) -> Response:
    """Finds products, and tells who is signed in how far their orders are. With `stream` the answer is server-sent
    events, as of `GET /assistant/runs/{id}/events`, whose address is in `Location`; else one body, when all is said.

    The answer is a run, which goes on when you leave, unless you ask with `stop_on_disconnect`. Come back to its events
    from any number, on any server. Under an `Idempotency-Key` you get the run that it began; where that failed and can
    be retried, a new one.

    Cards are products as they are at that moment. The text names no price and no product that the shop's own data does
    not have: what a model says beyond it is taken out, and counted in `corrections`. Each token costs a point of your
    budget, and there are 20 questions a minute.
    """
    caller = caller_of(principal, address)
    owner = caller if principal.kind == "anonymous" else principal.name
    asked = await assistant.ask(
        body.command(), principal, caller=caller, key=OnceKey(owner, key) if key is not None else None
    )
    run_id = asked.value
    on_left = partial(assistant.stop, run_id) if body.stop_on_disconnect else None
    response: Response
    if body.stream:
        stream = chunks(resources, broadcast, run_id, after=0, caller=caller, timing=timing, on_left=on_left)
        response = EventStreamResponse(stream, kind=KIND)
    else:
        with WAITING.take(caller):
            try:
                said = await until_left(whole(resources, run_id, timing.lifetime), request.receive)
            except ClientDisconnect:
                if on_left is not None:
                    on_left()
                raise
        answer = AssistantAnswer.of(run_id, said)
        response = Response(answer.model_dump_json(), media_type="application/json", headers=_NO_STORE)
    response.headers["Location"] = str(request.url_for("public:v1:list_assistant_events", run_id=run_id))
    if asked.replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return response


class RunQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    after: Annotated[int | None, Field(ge=0, lt=2**31, description="The number of the last event that you have.")] = (
        None
    )


@router.get(
    "/runs/{run_id}/events",
    response_model=AssistantEvents,
    summary="Read an answer",
    responses={
        200: DESCRIPTION,
        **problems(Invalid, RunNotFound, TooManyStreams),
    },
)
async def list_assistant_events(
    request: Request,
    run_id: str,
    query: Annotated[RunQuery, Query()],
    principal: PrincipalDep,
    address: ClientAddressDep,
    resources: ResourcesDep,
    broadcast: BroadcastDep,
    timing: TimingDep,
    last_event_id: Annotated[
        str | None,
        Header(alias="Last-Event-ID", description="Where to go on; an EventSource sends it. It wins over `after`."),
    ] = None,
) -> Response:
    """What the run has said after the number, and what it says until its end: `token` with `text`, `card` with a
    product, and last `done` or `error`. Each has its number as `id`: come back with the last that you have, and nothing
    is left out and nothing comes twice. With `Accept: application/json`, what there is by now, as a list.

    `reconnect` is about the stream, which ends after it: the server stops, come back after `retry_ms`. Of a run that
    was asked for without credentials, whoever has its id is told; any other is for the user or the key that asked. Runs
    are kept for 7 days.
    """
    after = _number(last_event_id) if last_event_id else query.after or 0
    async with resources.database.read() as session:
        repository = RunRepository(session)
        run = await repository.get(run_id, principal)
        if not _wants_json(request):
            caller = caller_of(principal, address)
            stream = chunks(resources, broadcast, run_id, after=after, caller=caller, timing=timing)
            return EventStreamResponse(stream, kind=KIND)
        found = await repository.events_after(run_id, after)
    page = AssistantEvents(
        run_id=run_id,
        state=run.state,
        items=[event_schema(run_id, each) for each in found],
        next=found[-1].number if len(found) == PAGE else None,
    )
    return Response(page.model_dump_json(), media_type="application/json", headers=_NO_STORE)


@router.post("/runs/{run_id}/cancel", summary="Cancel an answer", responses=problems(RunNotFound))
async def cancel_assistant_run(
    response: Response, run_id: str, principal: PrincipalDep, resources: ResourcesDep
) -> AssistantRun:
    """Whatever process runs it stops asking its model at once. What was said stays; the last event is `done` with the
    state `cancelled`. A run that has ended stays as it is. The answer waits up to two seconds for that end.
    """
    async with resources.database.read() as session:
        run = await RunRepository(session).get(run_id, principal)
    if not run.ended:
        run = await cancelled(resources, run, _ENDED_SECONDS)
    response.headers.update(_NO_STORE)
    return run_schema(run)


def _number(text: str) -> int:
    """Raises Invalid."""
    if not text.isascii() or not text.isdigit() or len(text) > 10:  # noqa: PLR2004  as many digits as 2**31 has
        message = "is the number of an event"
        raise Invalid(f"Last-Event-ID {message}", errors=(FieldError("/header/Last-Event-ID", "invalid", message),))
    return int(text)


def _wants_json(request: Request) -> bool:
    accept = request.headers.get("accept", "").lower()
    return "application/json" in accept and "text/event-stream" not in accept
