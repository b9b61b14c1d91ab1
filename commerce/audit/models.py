"""The audit log's table. Triggers refuse UPDATE and DELETE."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from core.database import Base


class AuditRow(Base):
    __tablename__ = "audit_log"
    __table_args__ = (Index("ix_audit_log_subject", "subject", "position"), {"sqlite_autoincrement": True})

    position: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True
    )
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String, index=True)  # `user:usr_...`, `api_key:...`, `anonymous`, `cli`
    request_id: Mapped[str] = mapped_column(String)
    action: Mapped[str] = mapped_column(String)  # `order.place`
    subject: Mapped[str] = mapped_column(String)  # the id of what was changed
    # The fields that changed; None where it was not there before, or is not there after.
    before: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    after: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
