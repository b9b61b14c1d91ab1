"""What setting a limit is refused with."""

from core.errors import Invalid, NotFound


class InvalidLimitSubject(Invalid):
    """A limit is that of `api_key:<id>`, `user:<id>` or `address:<IP address>`. A /64 of IPv6 counts as one address."""

    code = "invalid_limit_subject"
    title = "Invalid subject of a limit"


class LimitSubjectNotFound(NotFound):
    """There is no such key or user, or not any more."""

    code = "limit_subject_not_found"
    title = "Subject of the limit not found"


class OverrideNotFound(NotFound):
    """This caller has no limit of its own: it may spend what everybody may."""

    code = "rate_limit_not_found"
    title = "Rate limit not found"


class ExpiryInThePast(Invalid):
    """`expires_at` has to be later than now: what has expired is deleted instead."""

    code = "expiry_in_the_past"
    title = "Expiry in the past"
