"""What promotions refuse."""

from core.errors import Conflict, Invalid, NotFound


class PromotionNotFound(NotFound):
    """No promotion has this id."""

    code = "promotion_not_found"
    title = "Promotion not found"


class InvalidPromotion(Invalid):
    """The promotion breaks a rule. `errors` says which field and why; nothing was changed."""

    code = "invalid_promotion"
    title = "Invalid promotion"


class DuplicateCode(Conflict):
    """A code names one promotion, and this one is taken. Upper and lower case are the same."""

    code = "duplicate_code"
    title = "Code already in use"


class PromotionNotApplicable(Invalid):
    """No promotion has this code, or it has not begun, is over, or is for another currency. Order without it."""

    code = "promotion_not_applicable"
    title = "Promotion not applicable"
