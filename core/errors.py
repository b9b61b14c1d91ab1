"""What can go wrong, in terms that every audience shares. No HTTP status here: `core.web.errors` has the table.

    AppError                  a bug: anything that is raised and not foreseen (internal_error)
    ├── NotFound              what was named does not exist, or not for this caller
    │   └── Gone              it did, but no more
    ├── Conflict              the state of things does not allow it
    │   └── StaleVersion      somebody else changed it first
    ├── Invalid               the request says something that cannot be
    ├── Denied                known, but not allowed
    ├── Unauthenticated       who are you?
    ├── RateLimited           later
    ├── Unavailable           something we depend on is away
    └── TransportError        what only a protocol can get wrong (core.web.errors)

Features subclass these with a stable `code`, the same string on every door; `title` and the docstring are the text of
the page `/public/problems/{code}`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """One fault of a request. `pointer` is a JSON Pointer (RFC 6901) into the body, or `/query/size` and the like."""

    pointer: str
    code: str
    message: str


class AppError(Exception):
    """Something went wrong inside. It is recorded under the request id; trying again may or may not help."""

    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Internal error"
    retryable: ClassVar[bool] = False
    replayed = False  # True: what was answered before to the same idempotency key

    def __init__(
        self, detail: str = "", *, errors: tuple[FieldError, ...] = (), retry_after_seconds: int | None = None
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.errors = errors
        self.retry_after_seconds = retry_after_seconds

    @classmethod
    def explanation(cls) -> str:
        return " ".join((cls.__doc__ or "").split())


class NotFound(AppError):
    """Nothing with this address or id exists, or none that you may see."""

    code = "not_found"
    title = "Not found"


class Gone(NotFound):
    """It was here, and will not come back."""

    code = "gone"
    title = "Gone"


class Conflict(AppError):
    """The request is well formed, but the present state of the resource does not allow it."""

    code = "conflict"
    title = "Conflict"


class StaleVersion(Conflict):
    """The resource changed after you read it. Read it again, apply your change, and send its new ETag in If-Match."""

    code = "stale_version"
    title = "The resource has changed"


class Invalid(AppError):
    """A field, a parameter or the body is not what this operation takes. `errors` lists each fault with its place."""

    code = "invalid_request"
    title = "Invalid request"


class Denied(AppError):
    """Your credentials are good, but they do not allow this operation."""

    code = "forbidden"
    title = "Forbidden"


class Unauthenticated(AppError):
    """This operation needs credentials: send `Authorization: Bearer` with a key or token that this door takes."""

    code = "unauthenticated"
    title = "Authentication required"


class RateLimited(AppError):
    """Too many requests in too short a time. Wait for the seconds that `Retry-After` names."""

    code = "quota_exceeded"
    title = "Quota exceeded"
    retryable = True


class Unavailable(AppError):
    """Something that this operation needs is away. Nothing was changed; try again after `Retry-After`."""

    code = "unavailable"
    title = "Temporarily unavailable"
    retryable = True


class TransportError(AppError):
    """The request does not follow the protocol that this door speaks."""

    code = "bad_request"
    title = "Bad request"


def error_classes() -> dict[str, type[AppError]]:
    """Every error that is loaded, by its code; of several classes that share a code, the most general one."""
    found: dict[str, type[AppError]] = {}
    for error in _walk(AppError):
        found.setdefault(error.code, error)
    return found


def _walk(error: type[AppError]) -> Iterator[type[AppError]]:
    yield error
    for child in error.__subclasses__():
        yield from _walk(child)
