"""Indexes in the order of every list, and in product_tags what a tag's products are ordered by.

Revision ID: 0011
Revises: 0010
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from core.database import UtcDateTime

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

PLAIN_ORDER = sa.String().with_variant(sa.String(collation="C"), "postgresql")
SORTS = {"created": "created_at", "updated": "updated_at", "title": "title_order", "price": "price_min"}
OF_A_TAG = {"created": "created_at", "title": "title_order", "price": "price_min"}


def upgrade() -> None:
    _index_products()
    _index_variants()
    _copy_into_tags()
    for table in ("payments", "shipments"):
        op.drop_index(f"ix_{table}_order_id", table)
        op.create_index(f"ix_{table}_order_id", table, ["order_id", "id"])
    op.drop_index("ix_orders_state", "orders")
    op.create_index("ix_orders_state", "orders", ["state", "placed_at", "id"])
    op.create_index("ix_orders_email", "orders", ["email", "placed_at", "id"])


def _index_products() -> None:
    op.drop_index("ix_products_category_id", "products")
    op.drop_index("ix_products_vendor", "products")
    for name, column in SORTS.items():
        op.drop_index(f"ix_products_{name}", "products")
        op.create_index(f"ix_products_{name}", "products", [column, "id", "status"])
        op.create_index(f"ix_products_category_{name}", "products", ["category_id", column, "id", "status"])
        op.create_index(f"ix_products_vendor_{name}", "products", ["vendor", column, "id", "status"])
    op.add_column("products", sa.Column("price_spread", sa.BigInteger(), server_default="0", nullable=False))
    op.execute("UPDATE products SET price_spread = price_max - price_min")
    op.create_index("ix_products_spread", "products", ["price_spread"])


def _index_variants() -> None:
    op.drop_index("ix_variants_price", "variants")
    op.create_index("ix_variants_price", "variants", ["price", "product_id"])
    sold_out = sa.text("stock <= 0 AND inventory_policy != 'continue'")
    op.create_index(
        "ix_variants_sold_out", "variants", ["product_id"], sqlite_where=sold_out, postgresql_where=sold_out
    )


def _copy_into_tags() -> None:
    copied: dict[str, sa.types.TypeEngine[Any]] = {
        "created_at": UtcDateTime(),
        "title_order": PLAIN_ORDER,
        "price_min": sa.BigInteger(),
    }
    op.drop_index("ix_product_tags_tag", "product_tags")
    for name, kind in copied.items():
        op.add_column("product_tags", sa.Column(name, kind, nullable=True))
    names = ", ".join(copied)
    op.execute(
        f"UPDATE product_tags SET ({names}) = "  # noqa: S608
        f"(SELECT {names} FROM products WHERE products.id = product_tags.product_id)"
    )
    with op.batch_alter_table("product_tags") as batch:
        for name, kind in copied.items():
            batch.alter_column(name, existing_type=kind, nullable=False)
    for name, column in OF_A_TAG.items():
        op.create_index(f"ix_product_tags_{name}", "product_tags", ["tag", column, "product_id"])
