"""Tables of the vectors: one for each product on sale, and how far they follow the catalogue."""

from sqlalchemy import BigInteger, Boolean, Double, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from core.database import Base, PlainOrder


class ProductVectorRow(Base):
    __tablename__ = "product_vectors"

    product_id: Mapped[str] = mapped_column(PlainOrder, primary_key=True)  # no reference: it may be deleted meanwhile
    source: Mapped[str] = mapped_column(String)  # the digest of the text that the vector is of
    model: Mapped[str] = mapped_column(String)
    vector: Mapped[bytes] = mapped_column(LargeBinary)  # int8
    scale: Mapped[float] = mapped_column(Double)
    changed: Mapped[int] = mapped_column(BigInteger, index=True)  # the state's `version` that it came with


class SemanticsStateRow(Base):
    """One row. Who changes vectors holds its lock, so that versions are committed in their order."""

    __tablename__ = "semantics_state"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    model: Mapped[str] = mapped_column(String)  # that the vectors are of; empty: nothing was begun
    filling: Mapped[str] = mapped_column(String)  # the id of the last filling; files are named for it
    filled_to: Mapped[str | None] = mapped_column(PlainOrder)  # the product; None: the whole catalogue was gone through
    complete: Mapped[bool] = mapped_column(Boolean)  # whether it was, with this model, once
    position: Mapped[int] = mapped_column(BigInteger)  # of the event up to which vectors follow
    version: Mapped[int] = mapped_column(BigInteger)  # rises with each change of vectors
    job_id: Mapped[str | None] = mapped_column(String)  # the last that was asked for
