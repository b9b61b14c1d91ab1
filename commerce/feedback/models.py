"""The table of feedback."""

from datetime import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from core.database import Base

SAID = ("answer_id", "kind", "product_id", "order_id", "principal")  # what is the same when it is said again


class FeedbackRow(Base):
    """The same is said once: what is said again is what was said before. Gone after ninety days."""

    __tablename__ = "feedback"
    __table_args__ = (
        Index("ux_feedback_said", *SAID, unique=True),
        Index("ix_feedback_model", "model", "version", "kind", "created_at"),
    )

    id: Mapped[str] = mapped_column(String, primary_key=True)
    answer_id: Mapped[str] = mapped_column(String)
    model: Mapped[str] = mapped_column(String)
    version: Mapped[str] = mapped_column(String)
    kind: Mapped[str] = mapped_column(String)
    product_id: Mapped[str] = mapped_column(String)  # empty: of the answer as a whole, so that the index knows the same
    order_id: Mapped[str] = mapped_column(String)  # the same
    principal: Mapped[str] = mapped_column(String)
    created_at: Mapped[datetime] = mapped_column(index=True)
