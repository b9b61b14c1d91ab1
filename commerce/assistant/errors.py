"""What the assistant refuses, and how its runs fail."""

from core.errors import Invalid, NotFound, RateLimited, Unavailable


class RunNotFound(NotFound):
    """There is no such run of the assistant, it is not yours, or it is older than 7 days."""

    code = "assistant_run_not_found"
    title = "Run not found"


class InvalidConversation(Invalid):
    """A conversation has 1 to 40 messages of 1 to 4,000 characters, 16,000 in all, and the last is the user's."""

    code = "invalid_conversation"
    title = "Invalid conversation"


class TooManyRuns(RateLimited):
    """As many of your questions to the assistant are being answered as may be at a time. Wait for one, or cancel it."""

    code = "too_many_runs"
    title = "Too many runs"


class AssistantBusy(Unavailable):
    """The assistant answers as many questions as it can, and the line is full. Try again after `Retry-After`."""

    code = "assistant_busy"
    title = "The assistant is busy"


class RunInterrupted(Unavailable):
    """The server that ran the answer has stopped. What was written stays; ask the same again for a whole one."""

    code = "run_interrupted"
    title = "The answer was interrupted"


class RunOverdue(Unavailable):
    """The answer was not finished in time. What was written stays; ask the same again, or something simpler."""

    code = "run_overdue"
    title = "The answer took too long"
