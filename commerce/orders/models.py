"""Tables of orders. Titles, prices and discounts are copies: an order stays what it was when it was placed."""

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, CheckConstraint, ForeignKey, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.database import Base, PlainOrder


class OrderRow(Base):
    __tablename__ = "orders"
    __table_args__ = (
        Index("ix_orders_placed", "placed_at", "id"),
        Index("ix_orders_user", "user_id", "placed_at", "id"),
        Index("ix_orders_state", "state", "placed_at", "id"),
        Index("ix_orders_email", "email", "placed_at", "id"),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(PlainOrder, unique=True)
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"))  # None: placed with a key of the shop's own
    email: Mapped[str] = mapped_column(String)
    state: Mapped[str] = mapped_column(String)
    currency: Mapped[str] = mapped_column(String(3))
    # As it was applied; no reference, because promotions end.
    promotion_id: Mapped[str | None] = mapped_column(String)
    promotion_code: Mapped[str | None] = mapped_column(String)
    promotion_title: Mapped[str | None] = mapped_column(String)
    discount: Mapped[int] = mapped_column(BigInteger)
    shipping: Mapped[int] = mapped_column(BigInteger)
    version: Mapped[int] = mapped_column(Integer)
    placed_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class OrderLineRow(Base):
    __tablename__ = "order_lines"
    __table_args__ = (CheckConstraint("quantity > 0", name="quantity_positive"),)

    order_id: Mapped[str] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    variant_id: Mapped[str] = mapped_column(String, index=True)  # no reference: variants may be deleted
    product_id: Mapped[str] = mapped_column(String)
    sku: Mapped[str | None] = mapped_column(String)
    title: Mapped[str] = mapped_column(String)
    quantity: Mapped[int] = mapped_column(Integer)
    unit_price: Mapped[int] = mapped_column(BigInteger)
    stock_taken: Mapped[bool] = mapped_column(Boolean)  # False: untracked when it was sold


class PaymentRow(Base):
    __tablename__ = "payments"
    __table_args__ = (
        UniqueConstraint("order_id", "reference"),
        CheckConstraint("amount > 0", name="amount_positive"),
        Index("ix_payments_order_id", "order_id", "id"),
    )

    id: Mapped[str] = mapped_column(PlainOrder, primary_key=True)
    order_id: Mapped[str] = mapped_column(ForeignKey("orders.id"))
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    reference: Mapped[str] = mapped_column(String)  # of the payment provider; one payment a reference
    created_at: Mapped[datetime]


class ShipmentRow(Base):
    __tablename__ = "shipments"
    __table_args__ = (Index("ix_shipments_order_id", "order_id", "id"),)

    id: Mapped[str] = mapped_column(PlainOrder, primary_key=True)
    order_id: Mapped[str] = mapped_column(ForeignKey("orders.id"))
    carrier: Mapped[str] = mapped_column(String)
    tracking_number: Mapped[str | None] = mapped_column(String)
    tracking_url: Mapped[str | None] = mapped_column(String)
    created_at: Mapped[datetime]
