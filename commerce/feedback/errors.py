"""What feedback refuses."""

from core.errors import Invalid


class InvalidFeedback(Invalid):
    """It does not say what was done with which answer. `errors` names each fault; nothing was kept."""

    code = "invalid_feedback"
    title = "Invalid feedback"
