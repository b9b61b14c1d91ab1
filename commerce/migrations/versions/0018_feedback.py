"""What people did with answers of models.

Revision ID: 0018
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op

from core.database import UtcDateTime

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "feedback",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("answer_id", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("product_id", sa.String(), nullable=False),
        sa.Column("order_id", sa.String(), nullable=False),
        sa.Column("principal", sa.String(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_feedback"),
    )
    said = ["answer_id", "kind", "product_id", "order_id", "principal"]
    op.create_index("ux_feedback_said", "feedback", said, unique=True)
    op.create_index("ix_feedback_model", "feedback", ["model", "version", "kind", "created_at"], unique=False)
    op.create_index("ix_feedback_created_at", "feedback", ["created_at"], unique=False)
