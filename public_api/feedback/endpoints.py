"""REST v1 of feedback."""

from fastapi import Response

from commerce.catalog.errors import ProductNotFound
from commerce.feedback.entities import FEEDBACK
from commerce.feedback.entities import Feedback as Given
from commerce.feedback.errors import InvalidFeedback
from commerce.feedback.service import FeedbackService
from commerce.orders.errors import OrderNotFound
from core.database import WriteSession
from core.errors import Invalid
from core.idempotency import IdempotencyInProgress, IdempotencyKeyReused
from core.web.dependencies import ResourcesDep
from core.web.idempotency import InvalidIdempotencyKey
from public_api.auth import PrincipalDep
from public_api.errors import problems
from public_api.feedback.schemas import Feedback, FeedbackCreate, feedback_command, feedback_schema
from public_api.once import OnceDep
from public_api.routing import public_router

router = public_router(tags=["Models"])


@router.post(
    "/feedback",
    status_code=201,
    summary="Say what became of an answer",
    operation_id="give_feedback",
    responses=problems(
        Invalid,
        InvalidFeedback,
        ProductNotFound,
        OrderNotFound,
        InvalidIdempotencyKey,
        IdempotencyKeyReused,
        IdempotencyInProgress,
    ),
)
async def give_feedback(
    response: Response, body: FeedbackCreate, resources: ResourcesDep, principal: PrincipalDep, once: OnceDep
) -> Feedback:
    """Ties a click, an order or an opinion to an answer of a model: a recommendation, a search by meaning, a forecast,
    the assistant. Said again, it is answered with what was said first, and counts once. An order must be yours.
    """
    command = feedback_command(body)

    async def action(session: WriteSession) -> Given:
        return await FeedbackService(session, resources.clock, principal=principal).give(command)

    given = await once.run(command, action, FEEDBACK)
    response.headers["Cache-Control"] = "private, no-store"
    return feedback_schema(given)
