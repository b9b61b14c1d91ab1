"""The table of versions: which there are of each model, and which of them answers."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from core.database import Base

_IN_USE = text("role <> 'kept'")


class ModelVersionRow(Base):
    """Written when its files are stored, and not before. `role`: `current` answers, `shadow` answers beside it and is
    only compared, `kept` can be made either again. One row a model is current, and one at most a shadow.
    """

    __tablename__ = "model_versions"
    __table_args__ = (
        Index("uq_model_versions_role", "model", "role", unique=True, sqlite_where=_IN_USE, postgresql_where=_IN_USE),
        Index("uq_model_versions_version", "model", "version", unique=True),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)  # in the order of publishing
    model: Mapped[str] = mapped_column(String)
    version: Mapped[str] = mapped_column(String)
    role: Mapped[str] = mapped_column(String)
    format: Mapped[str] = mapped_column(String)
    sha256: Mapped[str] = mapped_column(String)  # hex digits
    size: Mapped[int] = mapped_column(BigInteger)
    trained_at: Mapped[datetime]
    features_as_of: Mapped[datetime | None]
    metrics: Mapped[dict[str, Any]]
    parameters: Mapped[dict[str, Any]]
