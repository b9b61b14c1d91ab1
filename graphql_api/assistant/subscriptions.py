"""What a run of the assistant says, as it says it."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Annotated

import strawberry

from commerce.assistant.feed import RunFeed
from commerce.assistant.repository import RunRepository
from core.errors import Invalid
from core.resources import Resources
from core.streams.broadcast import Draining
from graphql_api.assistant.types import AssistantEvent, event_type
from graphql_api.context import Info
from graphql_api.fields import subscription
from graphql_api.streams import Line

_LOOK_SECONDS = 60.0  # without a word of it: then there is another look


@strawberry.type
class AssistantSubscription:
    @subscription(
        "What a run of the assistant says, the same as `GET /assistant/runs/{id}/events` on REST, where it is asked "
        "for: first what it has said after the number, then what it says until its end."
    )
    async def assistant(
        self,
        info: Info,
        run_id: Annotated[strawberry.ID, strawberry.argument(description="The run, `run_...`.")],
        after: Annotated[
            int, strawberry.argument(description="The number of the last event that you have; 0: from the first on.")
        ] = 0,
    ) -> AsyncGenerator[AssistantEvent, None]:
        if after < 0:
            raise Invalid("after is the number of an event, or 0")
        resources = info.context.resources
        async with resources.database.read() as session:
            await RunRepository(session).get(run_id, info.context.principal)
        return _said(resources, info.context.line, run_id, after)


async def _said(resources: Resources, line: Line, run_id: str, after: int) -> AsyncGenerator[AssistantEvent, None]:
    """Where the server stops so does the line: its client comes back."""
    async with RunFeed(resources.database, resources.hub, run_id, after=after) as feed:
        leave = line.broadcast.at_drain(lambda: feed.close(Draining()))
        try:
            while not feed.ended:
                for event in await feed.take(_LOOK_SECONDS):
                    yield event_type(run_id, event)
                    await asyncio.sleep(0)
        except Draining:
            line.end("draining")
        finally:
            leave()
