"""What mutations of the catalogue answer, and the refusals that it has of its own."""

from typing import Annotated

import strawberry

from commerce.catalog import errors
from core import errors as core_errors
from core.errors import AppError
from graphql_api.catalog.types import Product
from graphql_api.refusals import Refused, UserError, told


@strawberry.type(description="Another product has this handle.")
class DuplicateHandle(UserError):
    pass


@strawberry.type(description="Another product has a variant with this SKU; `errors` names each that is taken.")
class DuplicateSku(UserError):
    pass


@strawberry.type(description="The product breaks rules of the catalogue; `errors` names each, with its place.")
class InvalidProduct(UserError):
    pass


@strawberry.type(description="No product has this id.")
class ProductNotFound(UserError):
    pass


@strawberry.type(description="Somebody else changed the product first. Read it again, and send its new version.")
class StaleVersion(UserError):
    pass


CreateProductResult = Annotated[
    Product | DuplicateHandle | DuplicateSku | InvalidProduct | Refused,
    strawberry.union(name="CreateProductResult", description="The new product, or why there is none."),
]
UpdateProductResult = Annotated[
    Product | StaleVersion | ProductNotFound | DuplicateHandle | DuplicateSku | InvalidProduct | Refused,
    strawberry.union(name="UpdateProductResult", description="The product as it is now, or why it stays as it was."),
]
CatalogRefusal = StaleVersion | ProductNotFound | DuplicateHandle | DuplicateSku | InvalidProduct | Refused


def refused(error: AppError) -> CatalogRefusal:
    match error:
        case errors.DuplicateHandle():
            return DuplicateHandle(**told(error))
        case errors.DuplicateSku():
            return DuplicateSku(**told(error))
        case errors.InvalidProduct():
            return InvalidProduct(**told(error))
        case errors.ProductNotFound():
            return ProductNotFound(**told(error))
        case core_errors.StaleVersion():
            return StaleVersion(**told(error))
        case _:
            return Refused(**told(error))
