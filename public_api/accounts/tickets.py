"""REST of tickets: for streams of browsers, which can send no header with them."""

from datetime import datetime

from fastapi import Response
from pydantic import BaseModel, ConfigDict, Field

from commerce.accounts.throttling import admit_ticket
from commerce.accounts.tickets import Use, issue_ticket
from core.errors import Invalid, RateLimited, Unauthenticated
from core.web.dependencies import ResourcesDep, WriteSessionDep
from public_api.auth import SomebodyDep
from public_api.errors import problems
from public_api.routing import public_router

router = public_router(tags=["Events"])


class TicketRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    use: Use = Field("websocket", alias="for", description="What it shall open.", examples=["events"])


class Ticket(BaseModel):
    ticket: str = Field(description="For `?ticket=`; shown this once.", repr=False, examples=["tkt_..."])
    use: Use = Field(serialization_alias="for", examples=["events"])
    expires_at: datetime


@router.post(
    "/tickets",
    status_code=201,
    response_model=Ticket,
    summary="Get a ticket for a stream",
    responses=problems(Invalid, Unauthenticated, RateLimited),
)
async def create_ticket(
    response: Response,
    principal: SomebodyDep,
    session: WriteSessionDep,
    resources: ResourcesDep,
    body: TicketRequest | None = None,
) -> Ticket:
    """Browsers send no `Authorization` with a WebSocket or an EventSource: they ask for a ticket with it, and open the
    stream with `?ticket=`. It stands for the credentials that asked for it, and ends with them.

    One for `websocket`, the default, opens one within 30 seconds. One for `events` opens `GET /events/stream`, again
    whenever the EventSource comes back, until the access token that asked for it expires, for an API key 15 minutes;
    one stream at a time, the newest.
    """
    await admit_ticket(resources.limiter, principal)
    made = await issue_ticket(session, resources.clock, principal, (body or TicketRequest()).use)
    response.headers["Cache-Control"] = "no-store"
    return Ticket(ticket=made.ticket, use=made.use, expires_at=made.expires_at)
