"""Quotes of what sending costs.

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

from core.database import UtcDateTime

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

PLAIN_ORDER = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "shipping_quotes",
        sa.Column("id", PLAIN_ORDER, nullable=False),
        sa.Column("owner", sa.String(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("lines", sa.JSON(), nullable=False),
        sa.Column("parts", sa.JSON(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("order_id", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_shipping_quotes"),
    )
    op.create_index("ix_shipping_quotes_expires_at", "shipping_quotes", ["expires_at"], unique=False)


def downgrade() -> None:
    op.drop_table("shipping_quotes")
