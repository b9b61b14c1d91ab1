"""What is deprecated at every door, and who still uses it: what nobody uses can go."""

from datetime import date, datetime

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from commerce.usage.entities import ClientUse, Deprecation
from commerce.usage.repository import UseRepository
from core.web.dependencies import ReadSessionDep

router = APIRouter()
_MOST_CLIENTS = 100


class DeprecationClient(BaseModel):
    name: str | None = Field(description="As it names itself; null for all that do not.")
    version: str | None
    uses: int
    first_used_at: datetime
    last_used_at: datetime


class DeprecationUse(BaseModel):
    surface: str = Field(description="`rest` or `graphql`.", examples=["rest"])
    subject: str = Field(
        description="A REST operation, or the coordinate of a member of the GraphQL schema.",
        examples=["GET /public/v1/products"],
    )
    reason: str = Field(description="And what to use instead.")
    since: date | None = Field(description="Null where it is not known.")
    uses: int = Field(description="By all clients, some seconds late.")
    last_used_at: datetime | None
    clients: list[DeprecationClient] = Field(description=f"Whoever used it last comes first; {_MOST_CLIENTS} at most.")


class DeprecationList(BaseModel):
    items: list[DeprecationUse]


@router.get("/deprecations", summary="List what is deprecated, and who uses it")
async def list_deprecations(request: Request, session: ReadSessionDep) -> DeprecationList:
    """By surface and subject; also what nobody uses."""
    uses = UseRepository(session)
    found = {kind: await uses.by_subject(kind) for kind in ("rest", "field")}
    deprecations: list[Deprecation] = request.state.deprecations()
    ordered = sorted(deprecations, key=lambda each: (each.surface, each.subject))
    return DeprecationList(items=[_shown(each, found[each.kind].get(each.subject, [])) for each in ordered])


def _shown(each: Deprecation, clients: list[ClientUse]) -> DeprecationUse:
    return DeprecationUse(
        surface=each.surface,
        subject=each.subject,
        reason=each.reason,
        since=each.since,
        uses=sum(client.uses for client in clients),
        last_used_at=clients[0].last_used_at if clients else None,
        clients=[
            DeprecationClient(
                name=client.name or None,
                version=client.version or None,
                uses=client.uses,
                first_used_at=client.first_used_at,
                last_used_at=client.last_used_at,
            )
            for client in clients[:_MOST_CLIENTS]
        ],
    )
