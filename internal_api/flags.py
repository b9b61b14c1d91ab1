"""Kill switches: all staff see what is off, admins switch it."""

from datetime import datetime
from typing import Annotated

from fastapi import Depends, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from commerce.flags.repository import FlagRepository
from commerce.flags.service import FlagService
from core.web.dependencies import ReadSessionDep, ResourcesDep, WriteSessionDep
from internal_api.auth import Admin
from internal_api.routing import internal_router

router = internal_router()
Reason = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]*$")]


class Flag(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    target: str = Field(
        description="A mount, or a route by its method and template.", examples=["POST /public/v1/orders", "graphql"]
    )
    reason: str = Field(description="For operators.")
    message: str | None = Field(description="What callers are told.")
    actor: str = Field(description="Who switched it off.", examples=["user:usr_01jd0a3v5te8zr9k1m2n3p4q5r"])
    switched_at: datetime
    expires_at: datetime | None = Field(description="From then on it is as if it had never been; null: until deleted.")


class FlagList(BaseModel):
    items: list[Flag]


class FlagUpdate(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: Reason
    message: Reason | None = None
    expires_at: AwareDatetime | None = None


async def get_flags(
    request: Request, principal: Admin, session: WriteSessionDep, resources: ResourcesDep
) -> FlagService:
    return FlagService(session, resources.clock, actor=principal.name, known=request.state.switchable())


FlagsDep = Annotated[FlagService, Depends(get_flags, scope="function")]


@router.get("/flags", summary="List what is switched off")
async def list_flags(session: ReadSessionDep, resources: ResourcesDep) -> FlagList:
    found = await FlagRepository(session).holding(resources.clock.now())
    return FlagList(items=[Flag.model_validate(flag) for flag in found])


@router.put("/flags/{target:path}", summary="Switch a mount or a route off")
async def switch_off(target: str, body: FlagUpdate, flags: FlagsDep) -> Flag:
    """This process refuses it from now on, others within a moment. What is open, a stream or a WebSocket, goes on.

    The address names a mount, `/flags/graphql`, or a route, `/flags/POST%20/public/v1/orders`.
    """
    flag = await flags.switch_off(target, reason=body.reason, message=body.message, expires_at=body.expires_at)
    return Flag.model_validate(flag)


@router.delete("/flags/{target:path}", status_code=204, response_class=Response, summary="Switch it on again")
async def switch_on(target: str, reason: Annotated[Reason, Query()], flags: FlagsDep) -> None:
    await flags.switch_on(target, reason=reason)
