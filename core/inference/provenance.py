"""What every answer of a model says of the model."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Provenance:
    """`content_hash`: `sha256:` and hex digits, of the file or of what stands for it. `trained_at` and `features_as_of`
    (the newest that it learned from) are None for what is not trained. `fallback_reason`: why something simpler answers
    than was asked for; None: nothing does.
    """

    model: str
    version: str
    content_hash: str
    trained_at: datetime | None = None
    features_as_of: datetime | None = None
    fallback_reason: str | None = None

    @property
    def fallback(self) -> bool:
        return self.fallback_reason is not None
