"""Where the time of a request went."""

from datetime import datetime

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from commerce.receipts.entities import Receipt as Kept
from commerce.receipts.recorder import ReceiptRecorder
from commerce.receipts.repository import ReceiptRepository
from core.errors import NotFound
from core.web.dependencies import ResourcesDep
from internal_api.parameters import Text

router = APIRouter()
_UPSTREAM = "upstream:"
_NONE = (0, 0.0)


class Part(BaseModel):
    count: int
    ms: float


class Upstream(Part):
    name: str = Field(examples=["post"])


class Receipt(BaseModel):
    """Parts overlap: the statement that finds out who calls is `auth` and `sql`."""

    request_id: str
    trace_id: str
    at: datetime = Field(description="When it began.")
    audience: str = Field(examples=["public"])
    method: str = Field(description="WEBSOCKET for a handshake.", examples=["POST"])
    route: str = Field(examples=["/public/v1/orders/{order_id}"])
    status: int = Field(description="499: the client left before the answer.")
    code: str | None = Field(description="Of the error.", examples=["out_of_stock"])
    principal: str | None = Field(examples=["user:usr_01jd0a3v5te8zr9k1m2n3p4q5r"])
    total_ms: float = Field(description="Until the last byte, of a stream too.")
    answered_ms: float = Field(description="Until the answer began.")
    queue: Part = Field(description="Waiting to be let in.")
    auth: Part = Field(description="Finding out who calls.")
    pool: Part = Field(description="Waiting for a connection to the database.")
    sql: Part = Field(description="Statements.")
    commit: Part
    upstreams: list[Upstream]
    cache: str | None = Field(
        description="What the response cache did, as Cache-Status says; null where it has no say.",
        examples=["portico; fwd=uri-miss; stored"],
    )
    cost: int | None = Field(description="Points of a GraphQL operation.")


class ReceiptList(BaseModel):
    items: list[Receipt]


@router.get("/receipts/{request_id}", summary="Show where a request's time went")
async def show_receipts(request: Request, request_id: Text, resources: ResourcesDep) -> ReceiptList:
    """Of all requests of the last day that had this id, newest first. Other processes write theirs two seconds late.

    Kept are so many a second of each process (`PORTICO_RECEIPTS_PER_SECOND`), of failed and slow ones ten times as
    many, and one in 256 of what the response cache answered.
    """
    receipts: ReceiptRecorder = request.state.receipts
    await receipts.flush()
    async with resources.database.read() as session:
        found = await ReceiptRepository(session).of_request(request_id, resources.clock.now())
    if not found:
        raise NotFound(f"no receipt of a request {request_id!r} in the last 24 hours")
    return ReceiptList(items=[_receipt(each) for each in found])


def _receipt(kept: Kept) -> Receipt:
    upstreams = sorted(part for part in kept.parts if part.startswith(_UPSTREAM))
    return Receipt(
        request_id=kept.request_id,
        trace_id=kept.trace_id,
        at=kept.at,
        audience=kept.audience,
        method=kept.method,
        route=kept.route,
        status=kept.status,
        code=kept.error_code,
        principal=kept.principal,
        total_ms=_ms(kept.total),
        answered_ms=_ms(kept.answered),
        queue=_part(kept, "queue"),
        auth=_part(kept, "auth"),
        pool=_part(kept, "pool"),
        sql=_part(kept, "sql"),
        commit=_part(kept, "commit"),
        upstreams=[Upstream(name=each.removeprefix(_UPSTREAM), **dict(_part(kept, each))) for each in upstreams],
        cache=kept.cache,
        cost=kept.parts["cost"][0] if "cost" in kept.parts else None,
    )


def _part(kept: Kept, name: str) -> Part:
    count, seconds = kept.parts.get(name, _NONE)
    return Part(count=count, ms=_ms(seconds))


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
