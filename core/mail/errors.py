"""What can go wrong with mail."""

from core.errors import Invalid, Unavailable


class MailUnavailable(Unavailable):
    """The mail server cannot be reached, or did not take the message now. It is tried again."""

    code = "mail_unavailable"
    title = "Mail unavailable"


class MailRefused(Invalid):
    """The mail server refused the message for good: an address that is none, or a sender that it does not know."""

    code = "mail_refused"
    title = "Mail refused"
