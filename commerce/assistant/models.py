"""The tables of the assistant."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from core.database import Base, PlainOrder


class RunRow(Base):
    """One answer. Who runs it, and nobody else, appends to it, as long as the lease is theirs."""

    __tablename__ = "assistant_runs"
    __table_args__ = (
        Index("ix_assistant_runs_leased", "state", "lease_until"),
        Index("ix_assistant_runs_runner", "runner", "state"),
    )

    id: Mapped[str] = mapped_column(PlainOrder, primary_key=True)  # not to be guessed: whoever has it may read
    owner: Mapped[str | None] = mapped_column(String, index=True)  # `Principal.name`; None: of somebody unknown
    state: Mapped[str] = mapped_column(String)
    request: Mapped[dict[str, Any]]
    provenance: Mapped[dict[str, Any] | None] = mapped_column(
        JSON(none_as_null=True)
    )  # None: no model has answered yet
    prompt_tokens: Mapped[int] = mapped_column(BigInteger)
    completion_tokens: Mapped[int] = mapped_column(BigInteger)
    events: Mapped[int] = mapped_column(Integer)  # the number of the last
    error_code: Mapped[str | None] = mapped_column(String)
    cancel_asked: Mapped[bool] = mapped_column(Boolean)
    runner: Mapped[str] = mapped_column(String)  # the process that took it
    lease_until: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(index=True)
    ended_at: Mapped[datetime | None]


class RunEventRow(Base):
    """What a run has said, numbered from 1 without a gap. Never changed."""

    __tablename__ = "assistant_events"

    run_id: Mapped[str] = mapped_column(ForeignKey("assistant_runs.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    type: Mapped[str] = mapped_column(String)
    data: Mapped[dict[str, Any]]
