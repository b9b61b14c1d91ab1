"""What orders refuse. Attributes are plain values: a refusal is kept under its idempotency key."""

from core.errors import Conflict, Denied, FieldError, Invalid, NotFound


class OrderNotFound(NotFound):
    """No order has this id, or it is not yours."""

    code = "order_not_found"
    title = "Order not found"


class OrderNotYours(Denied):
    """You may see this order, but only who placed it and the shop's administrators may change it."""

    code = "order_not_yours"
    title = "Not your order"


class UnknownVariant(Invalid):
    """A line names a variant that does not exist or is not for sale. `errors` says which; nothing was ordered."""

    code = "unknown_variant"
    title = "Unknown variant"


class OutOfStock(Conflict):
    """There is less in stock than was ordered. `errors` names each line that is short; nothing was ordered."""

    code = "out_of_stock"
    title = "Out of stock"

    def __init__(
        self, *, variant_id: str, sku: str | None, requested: int, available: int, errors: tuple[FieldError, ...]
    ) -> None:
        """The fields are those of the first line that is short."""
        super().__init__(f"{available} of {sku or variant_id} in stock, {requested} ordered", errors=errors)
        self.variant_id = variant_id
        self.sku = sku
        self.requested = requested
        self.available = available


class InvalidOrderState(Conflict):
    """The order's state does not allow this: what is cancelled stays so, and only what is paid for is shipped."""

    code = "invalid_order_state"
    title = "Not in this state"

    def __init__(self, detail: str, *, state: str) -> None:
        super().__init__(detail)
        self.state = state


class PaymentReferenceUsed(Conflict):
    """A payment of another amount is recorded under this reference. A payment's reference is used once."""

    code = "payment_reference_used"
    title = "Payment reference already used"


class Overpayment(Invalid):
    """The payment is larger than what is due. Leave the amount out to pay exactly that."""

    code = "overpayment"
    title = "More than is due"
