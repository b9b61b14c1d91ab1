"""Tables of persisted operations."""

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from core.database import Base, PlainOrder


class OperationRow(Base):
    """Never changed: its name is the hash of its text. It is there as long as a client has it."""

    __tablename__ = "operations"

    sha256: Mapped[str] = mapped_column(PlainOrder, primary_key=True)
    name: Mapped[str | None] = mapped_column(String)
    kind: Mapped[str] = mapped_column(String)
    text: Mapped[str] = mapped_column(String)


class ClientRow(Base):
    """That of everybody, `*`, is always there; who changes the registry holds its lock."""

    __tablename__ = "clients"

    name: Mapped[str] = mapped_column(PlainOrder, primary_key=True)
    mode: Mapped[str] = mapped_column(String)
    automatic: Mapped[bool] = mapped_column(Boolean)
    revision: Mapped[int] = mapped_column(BigInteger)  # rises with every change of it, and of what it has registered


class ClientOperationRow(Base):
    __tablename__ = "client_operations"

    client: Mapped[str] = mapped_column(ForeignKey("clients.name"), primary_key=True)
    version: Mapped[str] = mapped_column(PlainOrder, primary_key=True)
    sha256: Mapped[str] = mapped_column(ForeignKey("operations.sha256"), primary_key=True, index=True)
    registered_at: Mapped[datetime]
