"""Why an attempt failed, in a form that a job's own process can hand to the worker."""

import traceback
from dataclasses import dataclass
from typing import Any

from core.errors import AppError, Conflict, Denied, Invalid, NotFound

_REFUSALS = (Conflict, Denied, Invalid, NotFound)


@dataclass(frozen=True, slots=True)
class Failure:
    """`code` and `message` are for the job's owner, `exception` for staff, `trace` for the log.

    `refused`: trying again changes nothing. `retry_after_seconds`: nor does it before.
    """

    code: str
    message: str
    exception: str | None = None
    refused: bool = False
    retry_after_seconds: int = 0
    trace: str | None = None

    @classmethod
    def of(cls, error: BaseException) -> "Failure":
        if isinstance(error, AttemptFailed):
            return error.failure
        text = repr(error)[:2000].encode(errors="replace").decode()
        if isinstance(error, AppError):
            refused = isinstance(error, _REFUSALS)
            return cls(error.code, error.detail, text, refused, error.retry_after_seconds or 0)
        trace = None if isinstance(error, TimeoutError) else "".join(traceback.format_exception(error))
        return cls(AppError.code, AppError.title, text, trace=trace)

    @property
    def kept(self) -> dict[str, Any]:
        """The job's `error`."""
        return {"code": self.code, "message": self.message, "exception": self.exception}


class AttemptFailed(Exception):
    """It did so in a process of its own."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure
