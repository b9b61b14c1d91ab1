"""Images for tests, made by Pillow or by hand."""

import io
import struct
import zlib
from typing import Any

from PIL import Image


def an_image(kind: str = "JPEG", size: tuple[int, int] = (640, 480), mode: str = "RGB", **options: Any) -> bytes:
    """A picture with a left half in red and a right half in blue."""
    image = Image.new("RGB", size, "blue")
    image.paste("red", (0, 0, size[0] // 2, size[1]))
    return encoded(image.convert(mode), kind, **options)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def a_bomb(width: int, height: int) -> bytes:
    """A PNG of zeros, a thousandth of its picture."""
    packer = zlib.compressobj(9)
    row = bytes(1 + (width + 7) // 8)  # a bit a pixel
    pixels = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack("!IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        a_chunk(*each) for each in ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    )


def a_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack("!I", len(body)) + kind + body + struct.pack("!I", zlib.crc32(kind + body))
