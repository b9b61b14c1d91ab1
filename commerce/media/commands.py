"""What is done to images."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UploadImage:
    """The file by its digest: the same command with another file is another command."""

    product_id: str
    sha256: str
    alt: str
    expected_version: int | None
