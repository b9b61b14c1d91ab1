"""The table of flags."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from core.database import Base


class FlagRow(Base):
    """There as long as it is not switched on again; one that has expired is as good as none."""

    __tablename__ = "flags"

    target: Mapped[str] = mapped_column(String, primary_key=True)
    reason: Mapped[str] = mapped_column(String)
    message: Mapped[str | None] = mapped_column(String)
    actor: Mapped[str] = mapped_column(String)
    switched_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
