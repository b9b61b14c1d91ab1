"""The tables of webhooks."""

from datetime import datetime

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from core.database import Base, PlainOrder

_OPEN = text("state IN ('pending', 'failed')")
_WAITING = text("state IN ('pending', 'failed') AND next_attempt_at IS NULL")
_SCHEDULED = text("next_attempt_at IS NOT NULL")


class EndpointRow(Base):
    """Secrets are sealed. `user_id` None: the shop's own. `failures` are in a row, of whatever delivery."""

    __tablename__ = "webhook_endpoints"
    __table_args__ = (Index("ix_webhook_endpoints_created", "created_at", "id"),)

    id: Mapped[str] = mapped_column(PlainOrder, primary_key=True)
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    scopes: Mapped[list[str] | None] = mapped_column(
        JSON(none_as_null=True)
    )  # of the key that made it; None: all that its owner has
    url: Mapped[str] = mapped_column(String)
    description: Mapped[str] = mapped_column(String)
    types: Mapped[list[str]]  # none: all
    after_position: Mapped[int] = mapped_column(BigInteger)  # in the log: where it was made, or enabled again
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    previous_secret: Mapped[bytes | None] = mapped_column(LargeBinary)  # signs too, until it ends
    previous_secret_ends_at: Mapped[datetime | None]
    state: Mapped[str] = mapped_column(String)
    reason: Mapped[str | None] = mapped_column(String)
    failures: Mapped[int] = mapped_column(Integer)
    failing_since: Mapped[datetime | None]
    paused_until: Mapped[datetime | None]
    last_success_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class DeliveryRow(Base):
    """One event for one endpoint, with the bytes that each attempt sends.

    A delivery that has `next_attempt_at` has a job. Those of an endpoint and a subject have one such at most, the
    others wait for it: the database itself keeps their order. One that has none, and is open, waits for the end of
    another of its endpoint.
    """

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        UniqueConstraint("endpoint_id", "position"),
        Index("ix_webhook_deliveries_newest", "endpoint_id", "created_at", "id"),
        Index(
            "ix_webhook_deliveries_scheduled",
            "endpoint_id",
            "subject",
            unique=True,
            sqlite_where=_SCHEDULED,
            postgresql_where=_SCHEDULED,
        ),
        Index(
            "ix_webhook_deliveries_open",
            "endpoint_id",
            "subject",
            "position",
            sqlite_where=_OPEN,
            postgresql_where=_OPEN,
        ),
        Index(
            "ix_webhook_deliveries_waiting",
            "endpoint_id",
            "position",
            sqlite_where=_WAITING,
            postgresql_where=_WAITING,
        ),
    )

    id: Mapped[str] = mapped_column(PlainOrder, primary_key=True)
    endpoint_id: Mapped[str] = mapped_column(ForeignKey("webhook_endpoints.id", ondelete="CASCADE"))
    position: Mapped[int | None] = mapped_column(BigInteger)  # in the log; None: a test
    event_id: Mapped[str] = mapped_column(String)
    type: Mapped[str] = mapped_column(String)
    subject: Mapped[str] = mapped_column(String)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    state: Mapped[str] = mapped_column(String)
    dispatch: Mapped[int] = mapped_column(Integer)  # how often it was scheduled: tells a stale job from the last
    attempts: Mapped[int] = mapped_column(Integer)
    failures: Mapped[int] = mapped_column(Integer)  # since it was first or again asked for
    next_attempt_at: Mapped[datetime | None]
    sending_since: Mapped[datetime | None]
    last_status: Mapped[int | None] = mapped_column(Integer)
    last_error: Mapped[str | None] = mapped_column(String)
    response: Mapped[str | None] = mapped_column(String)  # the beginning of its body
    duration_ms: Mapped[int | None] = mapped_column(Integer)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime] = mapped_column(index=True)
    origin: Mapped[str | None] = mapped_column(String)  # of its event (core.tracing)


class CursorRow(Base):
    """One row: up to which event of the log deliveries have been made. Who moves it holds its lock."""

    __tablename__ = "webhook_cursor"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger)
