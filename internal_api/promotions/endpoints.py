"""Promotions: all staff may look, editors may change."""

from typing import Annotated

from fastapi import Depends, Header, Query, Request, Response

from commerce.promotions.errors import PromotionNotFound
from commerce.promotions.repository import PromotionRepository
from commerce.promotions.service import PromotionService
from core.web.conditional import expected_version, version_tag
from core.web.dependencies import ReadSessionDep, ResourcesDep, WriteSessionDep
from internal_api.auth import Editor
from internal_api.promotions.schemas import (
    Promotion,
    PromotionCreate,
    PromotionQuery,
    PromotionSlice,
    PromotionUpdate,
    changed_data,
    new_data,
    promotion_schema,
)
from internal_api.routing import internal_router

router = internal_router()
IfMatch = Annotated[str | None, Header(alias="If-Match", description="ETag that you read: 412 if it has changed.")]


async def get_promotions(principal: Editor, session: WriteSessionDep, resources: ResourcesDep) -> PromotionService:
    return PromotionService(session, resources.clock, resources.jobs, actor=principal.name)


PromotionsDep = Annotated[PromotionService, Depends(get_promotions, scope="function")]


@router.get("/promotions", summary="List promotions")
async def list_promotions(query: Annotated[PromotionQuery, Query()], session: ReadSessionDep) -> PromotionSlice:
    """Those that begin last come first."""
    found = await PromotionRepository(session).slice(limit=query.limit, after=query.after)
    return PromotionSlice(items=[promotion_schema(item) for item in found.items], next=found.next_cursor)


@router.get("/promotions/{promotion_id}", summary="Read a promotion")
async def get_promotion(response: Response, promotion_id: str, session: ReadSessionDep) -> Promotion:
    promotion = await PromotionRepository(session).get(promotion_id)
    if promotion is None:
        raise PromotionNotFound(f"no promotion {promotion_id[:100]!r}")
    response.headers["ETag"] = version_tag(promotion.version)
    return promotion_schema(promotion)


@router.post("/promotions", status_code=201, summary="Create a promotion")
async def create_promotion(
    request: Request, response: Response, body: PromotionCreate, promotions: PromotionsDep
) -> Promotion:
    promotion = await promotions.create(new_data(body))
    response.headers["Location"] = str(request.url_for("internal:get_promotion", promotion_id=promotion.id))
    response.headers["ETag"] = version_tag(promotion.version)
    return promotion_schema(promotion)


@router.patch("/promotions/{promotion_id}", summary="Change a promotion")
async def update_promotion(
    response: Response,
    promotion_id: str,
    body: PromotionUpdate,
    promotions: PromotionsDep,
    if_match: IfMatch = None,
) -> Promotion:
    """Fields that are left out stay. With If-Match, only if the promotion is still the one that was read."""
    promotion = await promotions.update(
        promotion_id, lambda before: changed_data(body, before), expected_version=expected_version(if_match)
    )
    response.headers["ETag"] = version_tag(promotion.version)
    return promotion_schema(promotion)


@router.delete("/promotions/{promotion_id}", status_code=204, response_class=Response, summary="Delete a promotion")
async def delete_promotion(promotion_id: str, promotions: PromotionsDep, if_match: IfMatch = None) -> None:
    """Its code is free again; orders keep what it took off."""
    await promotions.delete(promotion_id, expected_version=expected_version(if_match))
