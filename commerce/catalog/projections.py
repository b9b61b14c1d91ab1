"""How the catalogue becomes JSON: REST and GraphQL have each field from here. A new one is added here and to the
schemas that describe it.
"""

from commerce.catalog.filters import is_available
from commerce.catalog.models import CategoryRow, ImageRow, ProductRow, TagRow, VariantRow
from core.projections.fields import Projection, entries, json, many, money, obj, one, texts_of, time, value, values

CATEGORY = Projection(
    CategoryRow,
    {"id": value(CategoryRow.id), "name": value(CategoryRow.name), "slug": value(CategoryRow.slug)},
)

# Prices are in the currency of the product, from whose table a statement must select too.
VARIANT = Projection(
    VariantRow,
    {
        "id": value(VariantRow.id),
        "sku": value(VariantRow.sku),
        "title": texts_of(VariantRow.options, " / "),
        "options": json(VariantRow.options),
        "price": money(VariantRow.price, ProductRow.currency),
        "compare_at_price": money(VariantRow.compare_at_price, ProductRow.currency),
        "stock": value(VariantRow.stock),
        "available": value(is_available()),
        "weight_grams": value(VariantRow.weight_grams),
        "barcode": value(VariantRow.barcode),
    },
    more={
        "option_list": entries(VariantRow.options),
        "product": one(lambda: PRODUCT, ProductRow.id == VariantRow.product_id),
    },
)

IMAGE = Projection(
    ImageRow,
    {
        "id": value(ImageRow.id),
        "url": value(ImageRow.url),
        "alt": value(ImageRow.alt),
        "width": value(ImageRow.width),
        "height": value(ImageRow.height),
    },
)

PRODUCT: Projection = Projection(
    ProductRow,
    {
        "id": value(ProductRow.id),
        "handle": value(ProductRow.handle),
        "title": value(ProductRow.title),
        "description": value(ProductRow.description),
        "vendor": value(ProductRow.vendor),
        "category": one(lambda: CATEGORY, CategoryRow.id == ProductRow.category_id),
        "tags": values(TagRow, TagRow.tag, TagRow.product_id == ProductRow.id, order_by=TagRow.position),
        "status": value(ProductRow.status),
        "price_range": obj(
            min=money(ProductRow.price_min, ProductRow.currency), max=money(ProductRow.price_max, ProductRow.currency)
        ),
        "variants": many(VARIANT, VariantRow.product_id == ProductRow.id, order_by=VariantRow.position),
        "images": many(IMAGE, ImageRow.product_id == ProductRow.id, order_by=ImageRow.position),
        "version": value(ProductRow.version),
        "created_at": time(ProductRow.created_at),
        "updated_at": time(ProductRow.updated_at),
    },
)
