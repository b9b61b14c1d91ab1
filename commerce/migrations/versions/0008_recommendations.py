"""Recommendations: how often products were ordered lately.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

from core.database import PlainOrder

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "product_sales",
        sa.Column("product_id", PlainOrder, nullable=False),
        sa.Column("category_id", sa.String(), nullable=True),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("product_id", name="pk_product_sales"),
    )
    op.create_index("ix_product_sales_units", "product_sales", ["units", "product_id"], unique=False)
    op.create_index("ix_product_sales_category", "product_sales", ["category_id", "units", "product_id"], unique=False)
