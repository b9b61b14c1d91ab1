"""Runs of the assistant, and what they say.

Revision ID: 0021
Revises: 0020
"""

import sqlalchemy as sa
from alembic import op

from core.database import UtcDateTime

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None
_ID = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "assistant_runs",
        sa.Column("id", _ID, nullable=False),
        sa.Column("owner", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("provenance", sa.JSON(), nullable=True),
        sa.Column("prompt_tokens", sa.BigInteger(), nullable=False),
        sa.Column("completion_tokens", sa.BigInteger(), nullable=False),
        sa.Column("events", sa.Integer(), nullable=False),
        sa.Column("error_code", sa.String(), nullable=True),
        sa.Column("cancel_asked", sa.Boolean(), nullable=False),
        sa.Column("runner", sa.String(), nullable=False),
        sa.Column("lease_until", UtcDateTime(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_assistant_runs"),
    )
    op.create_index("ix_assistant_runs_leased", "assistant_runs", ["state", "lease_until"])
    op.create_index("ix_assistant_runs_owner", "assistant_runs", ["owner"])
    op.create_index("ix_assistant_runs_runner", "assistant_runs", ["runner", "state"])
    op.create_index("ix_assistant_runs_created_at", "assistant_runs", ["created_at"])
    op.create_table(
        "assistant_events",
        sa.Column("run_id", _ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "number", name="pk_assistant_events"),
        sa.ForeignKeyConstraint(
            ["run_id"], ["assistant_runs.id"], name="fk_assistant_events_run_id_assistant_runs", ondelete="CASCADE"
        ),
    )


def downgrade() -> None:
    op.drop_table("assistant_events")
    op.drop_table("assistant_runs")
