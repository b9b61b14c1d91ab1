"""Support chat: rooms, who was in them, messages, and who is there now.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

from core.database import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

PLAIN_ORDER = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "support_rooms",
        sa.Column("name", PLAIN_ORDER, nullable=False),
        sa.Column("owner_id", PLAIN_ORDER, nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("active_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_support_rooms_owner_id_users"),
        sa.PrimaryKeyConstraint("name", name="pk_support_rooms"),
    )
    op.create_index("ix_support_rooms_active", "support_rooms", ["active_at", "name"], unique=False)
    op.create_index("ix_support_rooms_owner", "support_rooms", ["owner_id", "active_at", "name"], unique=False)
    op.create_table(
        "support_members",
        sa.Column("room", PLAIN_ORDER, nullable=False),
        sa.Column("user_id", PLAIN_ORDER, nullable=False),
        sa.ForeignKeyConstraint(["room"], ["support_rooms.name"], name="fk_support_members_room_support_rooms"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_support_members_user_id_users"),
        sa.PrimaryKeyConstraint("room", "user_id", name="pk_support_members"),
    )
    op.create_table(
        "support_messages",
        sa.Column("id", PLAIN_ORDER, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("room", PLAIN_ORDER, nullable=False),
        sa.Column("author_id", sa.String(), nullable=False),
        sa.Column("author_name", sa.String(), nullable=False),
        sa.Column("author_is_staff", sa.Boolean(), nullable=False),
        sa.Column("recipient_id", sa.String(), nullable=True),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["room"], ["support_rooms.name"], name="fk_support_messages_room_support_rooms"),
        sa.PrimaryKeyConstraint("id", name="pk_support_messages"),
        sa.UniqueConstraint("position", name="uq_support_messages_position"),
    )
    op.create_index("ix_support_messages_author_id", "support_messages", ["author_id"], unique=False)
    op.create_index("ix_support_messages_room", "support_messages", ["room", "position"], unique=False)
    op.create_table(
        "support_presence",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("process", sa.String(), nullable=False),
        sa.Column("room", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("is_staff", sa.Boolean(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_support_presence"),
    )
    op.create_index("ix_support_presence_process", "support_presence", ["process"], unique=False)
    op.create_index("ix_support_presence_room", "support_presence", ["room"], unique=False)
    op.create_index("ix_support_presence_seen_at", "support_presence", ["seen_at"], unique=False)
