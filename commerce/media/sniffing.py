"""What a file is and how large its picture, from its structure alone, before any codec sees it. Runs in a worker.

A file must be one picture from its first byte to its last: what stands after the end, or hides in a comment, could be
a page or an archive to whoever reads it otherwise.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from commerce.media.walking import WALKS, Found
from core.workers.program import Refused

MAX_PIXELS = 40_000_000
MAX_SIDE = 12_000
MAX_ASPECT = 50  # a banner is 20 times as wide as high; a line is no picture
MAX_METADATA = 1_000_000  # bytes that are looked through in each piece
_FOREIGN = (b"<script", b"<html", b"<!doctype", b"<svg", b"<?php", b"<iframe", b"%pdf-", b"pk\x03\x04", b"pk\x05\x06")
_PADDING = b"\0 \t\r\n"


@dataclass(frozen=True, slots=True)
class Sniffed:
    """`width` and `height` as stored: the orientation is not looked at."""

    media_type: str
    width: int
    height: int


def sniff(data: bytes) -> Sniffed:
    """Raises Refused: unsupported_image, image_damaged, image_too_large, image_too_narrow, ambiguous_image."""
    media_type = type_of(data)
    if media_type is None:
        raise Refused("unsupported_image", "the file is no JPEG, PNG, WebP, GIF or AVIF image")
    found = Found()
    try:
        end = WALKS[media_type](data, found)
    except (IndexError, struct.error, ValueError) as error:
        check_size(found.width, found.height)  # which of two faults it is told does not hang on the order of the file
        raise Refused("image_damaged", "the file ends before the image does, or is not what it says") from error
    if not found.width or not found.height:
        raise Refused("image_damaged", "the file does not say how large its image is")
    check_size(found.width, found.height)
    _require_purity(data, end, found)
    return Sniffed(media_type, found.width, found.height)


def type_of(data: bytes) -> str | None:
    for media_type, matches in _MAGIC.items():
        if matches(data):
            return media_type
    return None


_MAGIC: dict[str, Callable[[bytes], bool]] = {
    "image/jpeg": lambda data: data.startswith(b"\xff\xd8\xff"),
    "image/png": lambda data: data.startswith(b"\x89PNG\r\n\x1a\n"),
    "image/gif": lambda data: data[:6] in (b"GIF87a", b"GIF89a"),
    "image/webp": lambda data: data[:4] == b"RIFF" and data[8:12] == b"WEBP",
    "image/avif": lambda data: data[4:8] == b"ftyp" and any(brand in (b"avif", b"avis") for brand in _brands(data)),
}


def _brands(data: bytes) -> Iterator[bytes]:
    end = min(int.from_bytes(data[:4]), 256)
    yield data[8:12]
    yield from (data[at : at + 4] for at in range(16, end, 4))


def check_size(width: int, height: int) -> None:
    """Raises Refused: image_too_large, image_too_narrow."""
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        raise Refused(
            "image_too_large",
            f"the image is {width} x {height}: over {MAX_SIDE} a side, or over {MAX_PIXELS // 10**6} megapixels",
        )
    if max(width, height) > MAX_ASPECT * max(1, min(width, height)):
        detail = f"one side of {width} x {height} is over {MAX_ASPECT} times as long as the other"
        raise Refused("image_too_narrow", detail)


def _require_purity(data: bytes, end: int, found: Found) -> None:
    if data[end:].strip(_PADDING):
        raise Refused("ambiguous_image", "something else stands after the end of the image")
    for start, stop in found.metadata:
        piece = data[start : min(stop, start + MAX_METADATA)].lower()
        if any(mark in piece for mark in _FOREIGN):
            raise Refused("ambiguous_image", "a comment or note in the file holds a page, a program or an archive")
