"""The tables of jobs. DBOS keeps its own beside them, in the same database."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Float, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.database import Base, PlainOrder


class JobRow(Base):
    __tablename__ = "jobs"
    __table_args__ = (
        UniqueConstraint("name", "dedup_key"),
        Index("ix_jobs_created", "created_at", "id"),
        Index("ix_jobs_owner", "owner_id", "created_at", "id"),
        Index("ix_jobs_waiting", "state", "queue", "run_at"),
    )

    id: Mapped[str] = mapped_column(PlainOrder, primary_key=True)
    name: Mapped[str] = mapped_column(String)
    queue: Mapped[str] = mapped_column(String)
    owner_id: Mapped[str | None] = mapped_column(PlainOrder)
    state: Mapped[str] = mapped_column(String)
    args: Mapped[dict[str, Any]]
    dedup_key: Mapped[str | None] = mapped_column(String)
    priority: Mapped[int] = mapped_column(Integer)
    progress: Mapped[float] = mapped_column(Float)
    message: Mapped[str | None] = mapped_column(String)
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    error: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    steps: Mapped[dict[str, Any]]  # what finished steps returned, by their names
    checkpoint: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    attempts: Mapped[int] = mapped_column(Integer)  # how often it was started
    failures: Mapped[int] = mapped_column(Integer)  # how often it then raised
    crashes: Mapped[int] = mapped_column(Integer)  # how often its process went away instead
    dispatch: Mapped[int] = mapped_column(Integer)  # how often it was put in line: tells a stale workflow from the last
    created_at: Mapped[datetime]
    run_at: Mapped[datetime]  # not before
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None] = mapped_column(index=True)
    cancel_requested_at: Mapped[datetime | None]
    origin: Mapped[str | None] = mapped_column(String)  # core.tracing


class JobSlotRow(Base):
    """PostgreSQL alone: who may run jobs. `fence` grows each time the slot changes hands."""

    __tablename__ = "job_slots"

    slot: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    fence: Mapped[int] = mapped_column(BigInteger)
    holder: Mapped[str | None] = mapped_column(String)  # None: free
    heartbeat_at: Mapped[datetime]
    lease_until: Mapped[datetime]


class JobEngineRow(Base):
    """One row: the version of DBOS that made its tables here."""

    __tablename__ = "job_engine"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    version: Mapped[str] = mapped_column(String)
