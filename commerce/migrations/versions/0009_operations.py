"""Persisted operations, and the clients that registered them.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

from core.database import UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

PLAIN_ORDER = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "operations",
        sa.Column("sha256", PLAIN_ORDER, nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_operations"),
    )
    clients = op.create_table(
        "clients",
        sa.Column("name", PLAIN_ORDER, nullable=False),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("automatic", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_clients"),
    )
    op.bulk_insert(clients, [{"name": "*", "mode": "off", "automatic": False, "revision": 0}])
    op.create_table(
        "client_operations",
        sa.Column("client", PLAIN_ORDER, nullable=False),
        sa.Column("version", PLAIN_ORDER, nullable=False),
        sa.Column("sha256", PLAIN_ORDER, nullable=False),
        sa.Column("registered_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["client"], ["clients.name"], name="fk_client_operations_client_clients"),
        sa.ForeignKeyConstraint(["sha256"], ["operations.sha256"], name="fk_client_operations_sha256_operations"),
        sa.PrimaryKeyConstraint("client", "version", "sha256", name="pk_client_operations"),
    )
    op.create_index("ix_client_operations_sha256", "client_operations", ["sha256"], unique=False)
