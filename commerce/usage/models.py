"""The table of uses."""

from datetime import datetime

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from core.database import Base


class UseRow(Base):
    """How often a client has used something. Every process adds to it, a few seconds late."""

    __tablename__ = "uses"

    kind: Mapped[str] = mapped_column(String, primary_key=True)
    subject: Mapped[str] = mapped_column(String, primary_key=True)
    client: Mapped[str] = mapped_column(String, primary_key=True)  # empty: it did not name itself
    client_version: Mapped[str] = mapped_column(String, primary_key=True)
    uses: Mapped[int] = mapped_column(BigInteger)
    first_used_at: Mapped[datetime]
    last_used_at: Mapped[datetime] = mapped_column(index=True)
