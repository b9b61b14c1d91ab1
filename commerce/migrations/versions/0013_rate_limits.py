"""Limits of single callers.

Revision ID: 0013
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

from core.database import UtcDateTime

revision = "0013"
down_revision = "0011"
branch_labels = None
depends_on = None

PLAIN_ORDER = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    limits = op.create_table(
        "rate_limits",
        sa.Column("subject", PLAIN_ORDER, nullable=False),
        sa.Column("plan", sa.String(), nullable=True),
        sa.Column("points", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("changed_at", UtcDateTime(), nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name="pk_rate_limits"),
    )
    op.bulk_insert(limits, [{"subject": "*", "reason": "", "revision": 0}])


def downgrade() -> None:
    op.drop_table("rate_limits")
