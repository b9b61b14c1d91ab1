"""Images that were uploaded, as they are read."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class MediaImage:
    """`width` and `height` as it is shown, upright. `product_id` is where it was uploaded; others may show it too."""

    id: str
    product_id: str
    sha256: str
    media_type: str
    width: int
    height: int
    bytes: int
    transparent: bool
    created_at: datetime

    @property
    def original_key(self) -> str:
        return f"{key_prefix(self.id)}/original"


def key_prefix(image_id: str) -> str:
    """Below it stand the original and all that was made of it."""
    return f"media/{image_id}"
