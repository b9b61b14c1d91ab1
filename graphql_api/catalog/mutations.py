"""What can be done to the catalogue. A mutation builds the command that REST builds, and runs it under the same key."""

from typing import Annotated, cast

import strawberry

from commerce.catalog import entities
from commerce.catalog.entities import PRODUCT
from commerce.catalog.writing import changing, creation
from graphql_api.auth import require_scope
from graphql_api.catalog.inputs import CreateProductInput, UpdateProductInput, create_command, update_command
from graphql_api.catalog.results import CreateProductResult, UpdateProductResult, refused
from graphql_api.catalog.types import Product, product_type
from graphql_api.context import Info
from graphql_api.cost_directives import WRITE
from graphql_api.fields import field
from graphql_api.once import OptionalIdempotencyKey, run_once
from graphql_api.refusals import REFUSALS


@strawberry.type
class CatalogMutation:
    @field("Makes a product. Needs `catalog:write`.", WRITE)
    async def create_product(
        self,
        info: Info,
        input: Annotated[CreateProductInput, strawberry.argument(description="What it is to be.")],  # noqa: A002
        idempotency_key: OptionalIdempotencyKey = None,
    ) -> CreateProductResult | None:
        principal = require_scope(info, "catalog:write")
        try:
            command = create_command(input)
            action = creation(command, info.context.resources, actor=principal.name)
            product = await run_once(info, idempotency_key, command, action, PRODUCT)
        except REFUSALS as error:
            return cast("CreateProductResult", refused(error))
        return _written(info, product)

    @field("Changes a product. Needs `catalog:write`.", WRITE)
    async def update_product(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="Its id, `prod_...`.")],  # noqa: A002
        input: Annotated[UpdateProductInput, strawberry.argument(description="What becomes different.")],  # noqa: A002
        expected_version: Annotated[
            int | None,
            strawberry.argument(description="The `version` that you read: refused if the product has another by now."),
        ] = None,
        idempotency_key: OptionalIdempotencyKey = None,
    ) -> UpdateProductResult | None:
        principal = require_scope(info, "catalog:write")
        try:
            command = update_command(id, input, expected_version)
            action = changing(command, info.context.resources, actor=principal.name)
            product = await run_once(info, idempotency_key, command, action, PRODUCT)
        except REFUSALS as error:
            return refused(error)
        return _written(info, product)


def _written(info: Info, product: entities.Product) -> Product:
    """As it was when it was written, also where an idempotency key replays it."""
    info.context.loaders.remember(product)
    return product_type(product.head)
