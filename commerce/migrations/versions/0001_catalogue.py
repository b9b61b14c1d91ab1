"""The catalogue and API keys.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op

from core.database import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

PLAIN_ORDER = sa.String().with_variant(sa.String(collation="C"), "postgresql")

# The index keeps no text of its own: it reads `product_documents`, and the triggers keep it in step.
SQLITE_SEARCH = (
    """CREATE VIRTUAL TABLE product_fts USING fts5(
        title, details, description,
        content='product_documents', content_rowid='id', tokenize='unicode61', prefix='2 3')""",
    """CREATE TRIGGER product_documents_ai AFTER INSERT ON product_documents BEGIN
        INSERT INTO product_fts(rowid, title, details, description)
        VALUES (new.id, new.title, new.details, new.description);
    END""",
    """CREATE TRIGGER product_documents_ad AFTER DELETE ON product_documents BEGIN
        INSERT INTO product_fts(product_fts, rowid, title, details, description)
        VALUES ('delete', old.id, old.title, old.details, old.description);
    END""",
    """CREATE TRIGGER product_documents_au AFTER UPDATE ON product_documents BEGIN
        INSERT INTO product_fts(product_fts, rowid, title, details, description)
        VALUES ('delete', old.id, old.title, old.details, old.description);
        INSERT INTO product_fts(rowid, title, details, description)
        VALUES (new.id, new.title, new.details, new.description);
    END""",
)
POSTGRESQL_SEARCH = (
    """ALTER TABLE product_documents ADD COLUMN words tsvector GENERATED ALWAYS AS (
        setweight(to_tsvector('simple', title), 'A') ||
        setweight(to_tsvector('simple', details), 'B') ||
        setweight(to_tsvector('simple', left(description, 200000)), 'D')) STORED""",
    "CREATE INDEX ix_product_documents_words ON product_documents USING gin (words)",
)


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
    )
    op.create_table(
        "categories",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_categories"),
        sa.UniqueConstraint("name", name="uq_categories_name"),
        sa.UniqueConstraint("slug", name="uq_categories_slug"),
    )
    op.create_table(
        "products",
        sa.Column("id", PLAIN_ORDER, nullable=False),
        sa.Column("handle", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("title_order", PLAIN_ORDER, nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("vendor", sa.String(), nullable=False),
        sa.Column("category_id", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("price_min", sa.BigInteger(), nullable=False),
        sa.Column("price_max", sa.BigInteger(), nullable=False),
        sa.Column("extra", sa.JSON(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["category_id"], ["categories.id"], name="fk_products_category_id_categories"),
        sa.PrimaryKeyConstraint("id", name="pk_products"),
        sa.UniqueConstraint("handle", name="uq_products_handle"),
    )
    op.create_index("ix_products_category_id", "products", ["category_id"], unique=False)
    op.create_index("ix_products_created", "products", ["created_at", "id"], unique=False)
    op.create_index("ix_products_price", "products", ["price_min", "id"], unique=False)
    op.create_index("ix_products_title", "products", ["title_order", "id"], unique=False)
    op.create_index("ix_products_updated", "products", ["updated_at", "id"], unique=False)
    op.create_index("ix_products_vendor", "products", ["vendor"], unique=False)
    op.create_table(
        "product_documents",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("product_id", PLAIN_ORDER, nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name="fk_product_documents_product_id_products", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_product_documents"),
        sa.UniqueConstraint("product_id", name="uq_product_documents_product_id"),
    )
    op.create_table(
        "product_images",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("product_id", PLAIN_ORDER, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("alt", sa.String(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("extra", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name="fk_product_images_product_id_products", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_product_images"),
    )
    op.create_index("ix_product_images_product", "product_images", ["product_id", "position"], unique=False)
    op.create_table(
        "product_tags",
        sa.Column("product_id", PLAIN_ORDER, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("tag", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name="fk_product_tags_product_id_products", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("product_id", "position", name="pk_product_tags"),
    )
    op.create_index("ix_product_tags_tag", "product_tags", ["tag", "product_id"], unique=False)
    op.create_table(
        "retired_handles",
        sa.Column("handle", sa.String(), nullable=False),
        sa.Column("product_id", PLAIN_ORDER, nullable=False),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name="fk_retired_handles_product_id_products", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("handle", name="pk_retired_handles"),
    )
    op.create_index("ix_retired_handles_product_id", "retired_handles", ["product_id"], unique=False)
    op.create_table(
        "variants",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("product_id", PLAIN_ORDER, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("sku", sa.String(), nullable=True),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("compare_at_price", sa.BigInteger(), nullable=True),
        sa.Column("stock", sa.Integer(), nullable=True),
        sa.Column("inventory_policy", sa.String(), nullable=False),
        sa.Column("weight_grams", sa.Integer(), nullable=True),
        sa.Column("barcode", sa.String(), nullable=True),
        sa.Column("extra", sa.JSON(), nullable=False),
        sa.CheckConstraint("price >= 0", name="ck_variants_price_not_negative"),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name="fk_variants_product_id_products", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_variants"),
        sa.UniqueConstraint("sku", name="uq_variants_sku"),
    )
    op.create_index("ix_variants_price", "variants", ["price"], unique=False)
    op.create_index("ix_variants_product", "variants", ["product_id", "position"], unique=False)
    sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in SQLITE_SEARCH if sqlite else POSTGRESQL_SEARCH:
        op.execute(statement)
