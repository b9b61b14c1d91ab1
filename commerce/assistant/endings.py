"""The last event of a run, by how it ended."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from commerce.assistant.entities import Corrections, EventType, State
from core.errors import AppError
from core.ids import new_id
from core.inference.chat import FinishReason
from core.inference.provenance import Provenance

NewEvent = tuple[EventType, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Spent:
    """In tokens, by the whole run so far."""

    prompt: int = 0
    completion: int = 0


@dataclass(frozen=True, slots=True)
class End:
    """`event` is the last of the run."""

    state: State
    event: NewEvent
    error_code: str | None = None


def answered(
    reason: FinishReason | Literal["cancelled"], spent: Spent, by: Provenance | None, corrections: Corrections
) -> End:
    """The answer is as whole as it gets. `by` None: it was cancelled before any model spoke."""
    state: State = "cancelled" if reason == "cancelled" else "done"
    data = {
        "state": state,
        "finish_reason": reason,
        "answer_id": new_id("ans"),
        **(told(by) if by is not None else dict.fromkeys(_MODEL)),
        "usage": {"prompt_tokens": spent.prompt, "completion_tokens": spent.completion},
        "corrections": asdict(corrections),
    }
    return End(state, ("done", data))


def failed(error: AppError) -> End:
    data = {"code": error.code, "title": error.title, "detail": error.detail, "retryable": error.retryable}
    return End("error", ("error", data), error.code)


def told(provenance: Provenance) -> dict[str, Any]:
    """As JSON has it; moments in RFC 3339."""
    return {
        "model": provenance.model,
        "version": provenance.version,
        "content_hash": provenance.content_hash,
        "trained_at": _moment(provenance.trained_at),
        "features_as_of": _moment(provenance.features_as_of),
        "fallback": provenance.fallback,
        "fallback_reason": provenance.fallback_reason,
    }


def provenance_of(told: dict[str, Any] | None) -> Provenance | None:
    """The other way."""
    if told is None:
        return None
    return Provenance(
        model=told["model"],
        version=told["version"],
        content_hash=told["content_hash"],
        trained_at=_read(told["trained_at"]),
        features_as_of=_read(told["features_as_of"]),
        fallback_reason=told["fallback_reason"],
    )


_MODEL = ("model", "version", "content_hash", "trained_at", "features_as_of", "fallback", "fallback_reason")


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment is not None else None


def _read(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text is not None else None
