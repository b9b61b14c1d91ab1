"""Who changed what, newest first."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from commerce.audit.log import AuditRepository
from core.web.dependencies import ReadSessionDep
from internal_api.parameters import Text

router = APIRouter()


class Entry(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    position: int
    at: datetime
    actor: str = Field(examples=["user:usr_01jd0a3v5te8zr9k1m2n3p4q5r"])
    request_id: str
    action: str = Field(examples=["promotion.update"])
    subject: str
    before: dict[str, Any] | None = Field(description="The fields that changed; null where it was not there.")
    after: dict[str, Any] | None = Field(description="The fields that changed; null where it is not there.")


class EntrySlice(BaseModel):
    items: list[Entry]
    next: int | None = Field(description="`before` of the next page; null on the last.")


class AuditQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=100)] = 50
    before: Annotated[int | None, Field(ge=1, lt=2**63, description="`next` of the page before.")] = None
    actor: Text | None = None
    subject: Text | None = None
    action: Text | None = None


@router.get("/audit", summary="List changes")
async def list_audit_entries(query: Annotated[AuditQuery, Query()], session: ReadSessionDep) -> EntrySlice:
    entries, more = await AuditRepository(session).newest(**query.model_dump())
    return EntrySlice(
        items=[Entry.model_validate(entry) for entry in entries], next=entries[-1].position if more else None
    )
