"""Realtime: tickets, which stand for a credential where no header can be sent.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

from core.database import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tickets",
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("use", sa.String(), nullable=False),
        sa.Column("sign_in_id", sa.String(), nullable=True),
        sa.Column("key_id", sa.String(), nullable=True),
        sa.Column("key_hash", sa.LargeBinary(), nullable=True),
        sa.Column("token_expires_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["sign_in_id"], ["sign_ins.id"], name="fk_tickets_sign_in_id_sign_ins", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"], name="fk_tickets_key_id_api_keys", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("secret_hash", name="pk_tickets"),
    )
    op.create_index("ix_tickets_sign_in_id", "tickets", ["sign_in_id"], unique=False)
    op.create_index("ix_tickets_key_id", "tickets", ["key_id"], unique=False)
    op.create_index("ix_tickets_expires_at", "tickets", ["expires_at"], unique=False)
