"""The table of quotes."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String
from sqlalchemy.orm import Mapped, mapped_column

from core.database import Base, PlainOrder


class ShippingQuoteRow(Base):
    """Says nothing of where it goes: what an order needs of it is what it is for, and the prices."""

    __tablename__ = "shipping_quotes"

    id: Mapped[str] = mapped_column(PlainOrder, primary_key=True)
    owner: Mapped[str | None] = mapped_column(String)  # None: the shop asked, for whomever it tells the id
    currency: Mapped[str] = mapped_column(String(3))
    lines: Mapped[dict[str, int]] = mapped_column(JSON)  # quantities by variant
    parts: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    expires_at: Mapped[datetime] = mapped_column(index=True)
    order_id: Mapped[str | None] = mapped_column(String)  # that took it
