"""Versions of models.

Revision ID: 0019
Revises: 0018
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

IN_USE = sa.text("role <> 'kept'")


def upgrade() -> None:
    op.create_table(
        "model_versions",
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("format", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("trained_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("features_as_of", sa.DateTime(timezone=True), nullable=True),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "uq_model_versions_role",
        "model_versions",
        ["model", "role"],
        unique=True,
        sqlite_where=IN_USE,
        postgresql_where=IN_USE,
    )
    op.create_index("uq_model_versions_version", "model_versions", ["model", "version"], unique=True)


def downgrade() -> None:
    op.drop_table("model_versions")
