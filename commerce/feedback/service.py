"""Keeps what people did with answers. Callers own the transaction; nothing here commits."""

from sqlalchemy import select

from commerce.accounts.principal import Principal
from commerce.catalog.errors import ProductNotFound
from commerce.catalog.models import ProductRow
from commerce.feedback.commands import GiveFeedback
from commerce.feedback.entities import Feedback
from commerce.feedback.models import SAID, FeedbackRow
from commerce.feedback.repository import FeedbackRepository
from commerce.orders.errors import OrderNotFound
from commerce.orders.repository import OrderRepository
from core.bulk import insert_missing
from core.clock import Clock
from core.database import WriteSession, table_of
from core.ids import new_id


class FeedbackService:
    """Per transaction."""

    def __init__(self, session: WriteSession, clock: Clock, *, principal: Principal) -> None:
        self._session = session
        self._clock = clock
        self._principal = principal

    async def give(self, command: GiveFeedback) -> Feedback:
        """What was said before of the same by the same is kept as it was. Raises ProductNotFound; OrderNotFound, also
        for another's.
        """
        if command.product_id is not None:
            await self._require_product(command.product_id)
        if command.order_id is not None and not await OrderRepository(self._session).get(
            command.order_id, self._principal
        ):
            raise OrderNotFound(f"no order {command.order_id!r}")
        values = {
            "id": new_id("fb"),
            "answer_id": command.answer_id,
            "model": command.model,
            "version": command.version,
            "kind": command.kind,
            "product_id": command.product_id or "",
            "order_id": command.order_id or "",
            "principal": self._principal.name,
            "created_at": self._clock.now(),
        }
        await insert_missing(self._session, table_of(FeedbackRow), [values], unique=SAID)
        said = await FeedbackRepository(self._session).said({name: values[name] for name in SAID})
        assert said is not None  # noqa: S101  it is there now, whoever said it first
        return said

    async def _require_product(self, product_id: str) -> None:
        if await self._session.scalar(select(ProductRow.id).where(ProductRow.id == product_id)) is None:
            raise ProductNotFound(f"no product {product_id!r}")
