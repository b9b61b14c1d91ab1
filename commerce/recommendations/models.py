"""How often products were ordered lately: counted by a job, so that no request looks at the lines of orders."""

from sqlalchemy import BigInteger, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from core.database import Base, PlainOrder


class ProductSalesRow(Base):
    __tablename__ = "product_sales"
    __table_args__ = (
        Index("ix_product_sales_units", "units", "product_id"),
        Index("ix_product_sales_category", "category_id", "units", "product_id"),
    )

    product_id: Mapped[str] = mapped_column(PlainOrder, primary_key=True)  # no reference: it may be deleted meanwhile
    category_id: Mapped[str | None] = mapped_column(String)  # as it was when it was counted
    units: Mapped[int] = mapped_column(BigInteger)
