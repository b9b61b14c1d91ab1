"""Limits of callers: all staff may look, admins set them."""

from typing import Annotated

from fastapi import Depends, Query, Request, Response

from commerce.limits.entities import Override
from commerce.limits.plans import plans
from commerce.limits.registry import LimitRegistry
from commerce.limits.repository import LimitRepository
from commerce.limits.service import LimitService
from commerce.limits.subjects import Subject, subject_named
from core.resources import Resources
from core.web.dependencies import ReadSessionDep, ResourcesDep
from internal_api.auth import Admin
from internal_api.parameters import Text
from internal_api.rate_limits.schemas import (
    RateLimit,
    RateLimitPage,
    RateLimitQuery,
    RateLimitSet,
    rate_limit_schema,
    zones,
)
from internal_api.routing import internal_router

router = internal_router()


async def get_registry(request: Request) -> LimitRegistry:
    """This process's."""
    registry: LimitRegistry = request.state.limits
    return registry


async def get_subject(subject: Text) -> Subject:
    """Raises InvalidLimitSubject."""
    return subject_named(subject)


RegistryDep = Annotated[LimitRegistry, Depends(get_registry)]
SubjectDep = Annotated[Subject, Depends(get_subject)]


@router.get("/rate-limits", summary="List the callers that have a limit of their own")
async def list_rate_limits(
    query: Annotated[RateLimitQuery, Query()], session: ReadSessionDep, resources: ResourcesDep
) -> RateLimitPage:
    found = await LimitRepository(session).listed(resources.clock.now(), page=query.page, size=query.size)
    return RateLimitPage(
        items=[await _shown(subject_named(each.subject), each, resources) for each in found.items],
        page=found.page,
        size=found.size,
        total=found.total,
        plans=plans(resources.budget.limit.amount),
        zones=zones(),
    )


@router.get("/rate-limits/{subject:path}", summary="Read the limit of a caller, and what is left of it")
async def get_rate_limit(subject: SubjectDep, session: ReadSessionDep, resources: ResourcesDep) -> RateLimit:
    override = await LimitRepository(session).find(subject.name, resources.clock.now())
    return await _shown(subject, override, resources)


@router.put("/rate-limits/{subject:path}", summary="Give a caller a limit of its own")
async def set_rate_limit(
    principal: Admin, subject: SubjectDep, body: RateLimitSet, resources: ResourcesDep, registry: RegistryDep
) -> RateLimit:
    """Instead of the one that it had. When this answers, this process obeys; the others do a moment later."""
    async with resources.database.write() as session:
        override = await LimitService(session, resources.clock, actor=principal.name).set(subject, body.terms())
    await registry.look()
    return await _shown(subject, override, resources)


@router.delete(
    "/rate-limits/{subject:path}", status_code=204, response_class=Response, summary="Give a caller everybody's limit"
)
async def delete_rate_limit(
    principal: Admin, subject: SubjectDep, resources: ResourcesDep, registry: RegistryDep
) -> None:
    async with resources.database.write() as session:
        await LimitService(session, resources.clock, actor=principal.name).remove(subject)
    await registry.look()


async def _shown(subject: Subject, override: Override | None, resources: Resources) -> RateLimit:
    return rate_limit_schema(subject.name, await resources.budget.look(subject.caller), override)
