"""The table of receipts."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Float, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from core.database import Base


class ReceiptRow(Base):
    """Written in batches by every process, a moment late; gone after a day."""

    __tablename__ = "receipts"

    position: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True
    )
    request_id: Mapped[str] = mapped_column(String, index=True)
    trace_id: Mapped[str] = mapped_column(String)
    at: Mapped[datetime] = mapped_column(index=True)
    audience: Mapped[str] = mapped_column(String)
    method: Mapped[str] = mapped_column(String)
    route: Mapped[str] = mapped_column(String)
    status: Mapped[int] = mapped_column(Integer)
    error_code: Mapped[str | None] = mapped_column(String)
    principal: Mapped[str | None] = mapped_column(String)
    cache: Mapped[str | None] = mapped_column(String)
    answered: Mapped[float] = mapped_column(Float)
    total: Mapped[float] = mapped_column(Float)
    parts: Mapped[dict[str, Any]]
