"""What the forecast refuses."""

from core.errors import FieldError, Invalid


class UnknownProducts(Invalid):
    """Some of the products are not there. `errors` lists their places."""

    code = "unknown_product"
    title = "Unknown product"

    @classmethod
    def at(cls, places: list[int]) -> "UnknownProducts":
        faults = (FieldError(f"/items/{place}/product_id", cls.code, "no product has this id") for place in places)
        return cls(errors=tuple(faults))
