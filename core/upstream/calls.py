"""What is asked of an upstream, what it may answer, and why there was no answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, Literal, Protocol, TypeVar

T = TypeVar("T")
_TOO_MANY, _SERVER_ERROR = 429, 500

# `failed`: no answer, or one that says that it cannot now. `broken`: what it answered is not what it may answer.
# `refused`: it does not take the question. `paused`: it was not asked, because it fails. `cancelled`: nobody waits.
Outcome = Literal["ok", "timeout", "failed", "broken", "refused", "paused", "cancelled"]


@dataclass(frozen=True, slots=True)
class Upstream:
    """Is asked by POST at `url`, which may hold a credential, as `headers` do: neither is ever shown."""

    name: str
    timeout_seconds: float
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Question:
    """JSON. `repeatable`: to ask it twice does no harm."""

    body: bytes
    repeatable: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is empty unless the status is 200."""

    status: int
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Reply(Generic[T]):
    """`age_seconds`: None for what it answered now, else how old the last good answer to the same question is."""

    value: T
    age_seconds: float | None = None


class UpstreamFailed(Exception):
    """There is no answer. `repeatable`: nothing was done, or it is known to pass. `after_seconds`: when it may be asked
    again, by its own word.
    """

    def __init__(
        self, outcome: Outcome, reason: str, *, repeatable: bool = False, after_seconds: float | None = None
    ) -> None:
        super().__init__(f"{outcome}: {reason}")
        self.outcome = outcome
        self.reason = reason
        self.repeatable = repeatable
        self.after_seconds = after_seconds


def failure_of(status: int) -> UpstreamFailed:
    """What a status other than 200 says. No redirect is followed: it could lead anywhere."""
    reason = f"status {status}"
    if status >= _SERVER_ERROR:
        return UpstreamFailed("failed", reason, repeatable=True)
    if status == _TOO_MANY:
        return UpstreamFailed("failed", reason)
    return UpstreamFailed("refused" if 400 <= status < _SERVER_ERROR else "broken", reason)  # noqa: PLR2004


class BrokenAnswer(Exception):
    """What an upstream answered is not what it may answer. The text quotes nothing of it."""


class Send(Protocol):
    async def __call__(self, upstream: Upstream, body: bytes, /) -> Answer:
        """Raises UpstreamFailed, TimeoutError, and BrokenAnswer where the body is too large. Cancelled, it leaves no
        connection in use.
        """
        ...
