"""What the catalogue refuses."""

from core.errors import Conflict, Invalid, NotFound


class ProductNotFound(NotFound):
    """No product has this id or handle, or it is not on sale and you may not see it."""

    code = "product_not_found"
    title = "Product not found"


class InvalidProduct(Invalid):
    """The product breaks a rule of the catalogue. `errors` says which field and why; nothing was changed."""

    code = "invalid_product"
    title = "Invalid product"


class DuplicateSku(Conflict):
    """A stock-keeping unit names one variant in the whole catalogue, and this one is taken."""

    code = "duplicate_sku"
    title = "SKU already in use"


class DuplicateHandle(Conflict):
    """A handle names one product, and this one is taken."""

    code = "duplicate_handle"
    title = "Handle already in use"
