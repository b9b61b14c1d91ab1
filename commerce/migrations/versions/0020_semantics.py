"""Vectors of products, and how far they follow the catalogue.

Revision ID: 0020
Revises: 0019
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

PLAIN_ORDER = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "product_vectors",
        sa.Column("product_id", PLAIN_ORDER, nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.Column("scale", sa.Double(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("product_id", name="pk_product_vectors"),
    )
    op.create_index("ix_product_vectors_changed", "product_vectors", ["changed"], unique=False)
    state = op.create_table(
        "semantics_state",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("filling", sa.String(), nullable=False),
        sa.Column("filled_to", PLAIN_ORDER, nullable=True),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("job_id", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_semantics_state"),
    )
    nothing = {"model": "", "filling": "", "filled_to": None, "complete": False, "position": 0, "version": 0}
    op.bulk_insert(state, [{"id": 1, **nothing, "job_id": None}])


def downgrade() -> None:
    op.drop_table("semantics_state")
    op.drop_table("product_vectors")
