"""The table of overrides."""

from datetime import datetime

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from core.database import Base, PlainOrder

EVERYBODY = "*"


class RateLimitRow(Base):
    """The row of everybody, `*`, is always there and no override: who changes any holds its lock, and its revision
    rises with every change.
    """

    __tablename__ = "rate_limits"

    subject: Mapped[str] = mapped_column(PlainOrder, primary_key=True)
    plan: Mapped[str | None] = mapped_column(String)
    points: Mapped[int | None] = mapped_column(BigInteger)
    reason: Mapped[str] = mapped_column(String)
    expires_at: Mapped[datetime | None]
    changed_at: Mapped[datetime | None]
    revision: Mapped[int] = mapped_column(BigInteger)
