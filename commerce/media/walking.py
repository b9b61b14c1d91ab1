"""From one end of an image file to the other, by its own lengths, for each format. Pure, and decodes nothing.

Each walk returns where the image ends, and notes the size of the picture and where its metadata stand. It raises
IndexError, struct.error or ValueError for a file that ends too soon or is not built as it should be.
"""

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

_U16, _U32, _U64 = struct.Struct("!H"), struct.Struct("!I"), struct.Struct("!Q")
_LE16, _LE32 = struct.Struct("<H"), struct.Struct("<I")


@dataclass(slots=True)
class Found:
    """The largest size that the file speaks of, and its pieces that are no pixels."""

    width: int = 0
    height: int = 0
    metadata: list[tuple[int, int]] = field(default_factory=list)

    def size(self, width: int, height: int) -> None:
        self.width, self.height = max(self.width, width), max(self.height, height)


# ITU-T T.81. In the data of a scan FF is followed by 00, by a restart marker, or by more FF.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_SOI, _EOI, _SOS, _TEM = 0xD8, 0xD9, 0xDA, 0x01
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_NOTES = {*range(0xE0, 0xF0), 0xFE}


def walk_jpeg(data: bytes, found: Found) -> int:
    """Cameras put smaller pictures after the first one (CIPA DC-007): these belong to the image."""
    end = _walk_one_jpeg(data, 0, found)
    while True:
        following = end + len(data[end:]) - len(data[end:].lstrip(b"\0"))
        if data[following : following + 3] != b"\xff\xd8\xff":
            return end
        end = _walk_one_jpeg(data, following, found)


def _walk_one_jpeg(data: bytes, start: int, found: Found) -> int:
    at = start + 2
    while True:
        if data[at] != 0xFF:  # noqa: PLR2004  begins every marker
            raise ValueError("no marker")
        while data[at] == 0xFF:  # noqa: PLR2004
            at += 1
        marker = data[at]
        at += 1
        if marker == _EOI:
            return at
        if marker == _TEM or marker in range(0xD0, 0xD9):
            continue
        stop = at + int(_U16.unpack_from(data, at)[0])
        if stop > len(data):
            raise ValueError("cut short")
        if marker in _FRAMES:
            found.size(_U16.unpack_from(data, at + 5)[0], _U16.unpack_from(data, at + 3)[0])
        elif marker in _NOTES:
            found.metadata.append((at, stop))
        at = stop
        if marker == _SOS:
            following = _MARKER.search(data, at)
            if following is None:
                raise ValueError("no end")
            at = following.start()


def walk_png(data: bytes, found: Found) -> int:
    """PNG (W3C), 5."""
    at = 8
    while True:
        length, kind = _U32.unpack_from(data, at)[0], data[at + 4 : at + 8]
        stop = at + 8 + int(length)
        if stop + 4 > len(data):
            raise ValueError("cut short")
        if kind == b"IHDR":
            found.size(*struct.unpack_from("!II", data, at + 8))
        elif kind == b"IEND":
            return stop + 4
        elif kind not in (b"IDAT", b"fdAT", b"PLTE"):
            found.metadata.append((at + 8, stop))
        at = stop + 4


def walk_gif(data: bytes, found: Found) -> int:
    """GIF89a (CompuServe), 17 and on."""
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    found.size(width, height)
    at = 13 + _colours(flags)
    while True:
        kind = data[at]
        if kind == 0x3B:  # noqa: PLR2004  the trailer
            return at + 1
        start = at
        if kind == 0x21:  # noqa: PLR2004  an extension
            at = _skip_blocks(data, at + 2)
            found.metadata.append((start, at))
        elif kind == 0x2C:  # noqa: PLR2004  a frame, which may reach beyond the screen
            left, top, width, height, flags = struct.unpack_from("<HHHHB", data, at + 1)
            found.size(left + width, top + height)
            at = _skip_blocks(data, at + 11 + _colours(flags))
        else:
            raise ValueError("no block")


def _colours(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _skip_blocks(data: bytes, at: int) -> int:
    while data[at]:
        at += data[at] + 1
    return at + 1


def walk_webp(data: bytes, found: Found) -> int:
    """WebP container (RFC 9649)."""
    end = 8 + int(_LE32.unpack_from(data, 4)[0])
    if end > len(data):
        raise ValueError("cut short")
    at = 12
    while at < end:
        kind, length = data[at : at + 4], _LE32.unpack_from(data, at + 4)[0]
        body, stop = at + 8, at + 8 + length
        if stop > end:
            raise ValueError("cut short")
        if kind == b"VP8X":
            found.size(_le24(data, body + 4) + 1, _le24(data, body + 7) + 1)
        elif kind == b"VP8 ":
            found.size(_LE16.unpack_from(data, body + 6)[0] & 0x3FFF, _LE16.unpack_from(data, body + 8)[0] & 0x3FFF)
        elif kind == b"VP8L":
            bits = _LE32.unpack_from(data, body + 1)[0]
            found.size((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
        elif kind not in (b"ALPH", b"ANMF", b"ANIM"):
            found.metadata.append((body, stop))
        at = stop + (length & 1)
    return end + (end & 1)


def _le24(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 3], "little")


# ISO/IEC 14496-12 boxes, as AVIF has them at the top.
_AVIF = {b"ftyp", b"meta", b"mdat", b"moov", b"moof", b"mfra", b"sidx", b"free", b"skip", b"styp", b"uuid", b"jumb"}
# What is opened to find the sizes, and how many bytes come before the boxes in it.
_OPENED = {b"meta": 4, b"iprp": 0, b"ipco": 0}


def walk_avif(data: bytes, found: Found) -> int:
    """The size is that of the largest item (`ispe`), tiles and thumbnails among them."""
    return _walk_boxes(data, 0, len(data), found, known=_AVIF)


def _walk_boxes(data: bytes, at: int, end: int, found: Found, *, known: set[bytes] | None = None) -> int:
    while at < end:
        length, kind, body = _U32.unpack_from(data, at)[0], data[at + 4 : at + 8], at + 8
        if length == 1:
            length, body = _U64.unpack_from(data, at + 8)[0], at + 16
        stop = end if length == 0 else at + length
        if known is not None and kind not in known:
            return at  # no part of an image: something that stands after it
        if stop > end or stop < body:
            raise ValueError("cut short")
        if kind == b"ispe":
            found.size(*struct.unpack_from("!II", data, body + 4))
        elif kind in _OPENED:
            _walk_boxes(data, body + _OPENED[kind], stop, found)
        elif kind in (b"free", b"skip", b"uuid"):
            found.metadata.append((body, stop))
        at = stop
    return at


WALKS: dict[str, Callable[[bytes, Found], int]] = {
    "image/jpeg": walk_jpeg,
    "image/png": walk_png,
    "image/gif": walk_gif,
    "image/webp": walk_webp,
    "image/avif": walk_avif,
}
