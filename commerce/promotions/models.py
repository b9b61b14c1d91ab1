"""Tables of promotions."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from core.database import Base, PlainOrder


class PromotionRow(Base):
    """Takes a percentage or an amount off an order placed within its window; one without a code applies by itself."""

    __tablename__ = "promotions"
    __table_args__ = (
        CheckConstraint("ends_at > starts_at", name="ends_after_start"),
        CheckConstraint("(percent_off IS NULL) <> (amount_off IS NULL)", name="one_kind_of_discount"),
    )

    id: Mapped[str] = mapped_column(PlainOrder, primary_key=True)
    code: Mapped[str | None] = mapped_column(String, unique=True)  # upper case
    title: Mapped[str] = mapped_column(String)
    percent_off: Mapped[int | None] = mapped_column(Integer)  # 1 to 100
    amount_off: Mapped[int | None] = mapped_column(BigInteger)  # minor units of `currency`
    currency: Mapped[str | None] = mapped_column(String(3))
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
