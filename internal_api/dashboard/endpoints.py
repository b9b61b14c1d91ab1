"""The page, its stream, one job in detail, signing in and signing out."""

import random
from collections.abc import AsyncGenerator
from contextlib import ExitStack
from typing import Annotated

from fastapi import Form, Request, Response
from fastapi.sse import format_sse_event
from starlette.responses import RedirectResponse

from commerce.accounts.principal import Principal
from commerce.accounts.sign_in import SignIn
from commerce.accounts.watch import CredentialWatch
from core.jobs.entities import JobNotFound
from core.jobs.repository import JobRepository
from core.streams.broadcast import Broadcast
from core.streams.places import Places
from core.web.dependencies import BroadcastDep, ClientAddressDep, ReadSessionDep, ResourcesDep
from core.web.event_stream import EventStreamResponse
from core.web.sockets.sockets import ServerStopping
from core.web.urls import base_path
from internal_api.dashboard.access import PATH, OwnForm, Viewer, remember
from internal_api.dashboard.pages import page
from internal_api.dashboard.watching import Watching
from internal_api.parameters import Text
from internal_api.routing import internal_router

router = internal_router()
KIND = "dashboard"
PLACES = Places(per_key=50, in_all=500, kind=KIND)
_BACK_MS = (500, 5_000)  # by chance, so that not all come back at once


@router.get("/dashboard", summary="Show how everything is")
async def show_dashboard(request: Request, viewer: Viewer) -> Response:
    """HTML. Without scripts it is how things are now."""
    watching: Watching = request.state.dashboard
    return page(request.scope, "dashboard/page.html", snapshot=await watching.newest(), viewer=viewer)


@router.get("/dashboard/events", summary="Follow how everything is")
async def follow_dashboard(request: Request, viewer: Viewer, broadcast: BroadcastDep) -> Response:
    """Server-sent events: `history` once, then a `snapshot` each two seconds; `ended` when the sign-in has ended, and
    `reconnect` when the server stops.
    """
    if broadcast.draining:
        raise ServerStopping(retry_after_seconds=1)
    chunks = _chunks(request.state.dashboard, broadcast, request.state.watch, viewer)
    return EventStreamResponse(chunks, kind=KIND)


@router.get("/dashboard/jobs/{job_id}", summary="Show a job")
async def show_job(request: Request, viewer: Viewer, job_id: Text, session: ReadSessionDep) -> Response:
    job = await JobRepository(session).get(job_id)
    if job is None:
        raise JobNotFound(f"no job {job_id[:100]!r}")
    return page(request.scope, "dashboard/job.html", job=job, viewer=viewer)


@router.post("/dashboard/sign-in", summary="Sign in as staff, in a browser", dependencies=[OwnForm])
async def sign_in_to_dashboard(
    request: Request,
    username: Annotated[str, Form()],
    password: Annotated[str, Form()],
    resources: ResourcesDep,
    address: ClientAddressDep,
) -> Response:
    """An account that is not staff's is refused as a wrong password is."""
    tokens = await SignIn(resources).sign_in(username, password, audience="dashboard", address=address)
    response = _to_dashboard(request)
    remember(response, tokens.access_token, tokens.expires_in, request, resources.settings)
    return response


@router.post("/dashboard/sign-out", summary="Sign out", dependencies=[OwnForm])
async def sign_out_of_dashboard(request: Request, viewer: Viewer, resources: ResourcesDep) -> Response:
    """Ends the sign-in everywhere it was copied to."""
    assert viewer.sign_in_id is not None  # noqa: S101  people alone are staff
    await SignIn(resources).sign_out(viewer.sign_in_id)
    response = _to_dashboard(request)
    remember(response, "", 0, request, resources.settings)
    return response


def _to_dashboard(request: Request) -> Response:
    return RedirectResponse(f"{base_path(request.scope)}{PATH}", 303, {"Cache-Control": "no-store"})


async def _chunks(
    watching: Watching, broadcast: Broadcast, watch: CredentialWatch, principal: Principal
) -> AsyncGenerator[bytes, None]:
    """Raises TooManyStreams before the first."""
    with PLACES.take(principal.name), ExitStack() as stack:
        viewer = stack.enter_context(watching.looking())
        stack.callback(broadcast.at_drain(lambda: viewer.close(_goodbye())))
        stack.callback(watch.follow(principal, lambda how: viewer.close(_ended(how))))
        yield watching.history()
        async for frame in viewer.frames():
            yield frame


def _goodbye() -> bytes:
    retry_ms = random.randint(*_BACK_MS)  # noqa: S311  no secret
    return format_sse_event(data_str="{}", event="reconnect", retry=retry_ms)


def _ended(how: str) -> bytes:
    return format_sse_event(data_str=how, event="ended")
