"""What orders refuse of quotes."""

from core.errors import Conflict, Invalid


class UnknownShippingQuote(Invalid):
    """No shipping quote of yours has this id, or the quote has no such option. Quotes are forgotten a day after they
    expire.
    """

    code = "unknown_shipping_quote"
    title = "Unknown shipping quote"


class ShippingQuoteExpired(Conflict):
    """The quote's `expires_at` is past: its prices hold no more. Ask for a new one; nothing was ordered."""

    code = "shipping_quote_expired"
    title = "Shipping quote expired"


class ShippingQuoteUsed(Conflict):
    """A quote is good for one order, and another one took it. Ask for a new one; nothing was ordered."""

    code = "shipping_quote_used"
    title = "Shipping quote already used"


class ShippingQuoteMismatch(Invalid):
    """The quote is for other lines than the order's, or in another currency. Ask for one for what is ordered."""

    code = "shipping_quote_mismatch"
    title = "Quote for something else"
