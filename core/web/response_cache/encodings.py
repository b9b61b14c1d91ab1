"""Which encoding a caller gets, and bodies that get their end after they were compressed.

The stable part is compressed once, up to a point from which its format can go on; the tail follows uncompressed, as
each format allows: a stored block of DEFLATE (RFC 1951, 3.2.4), an uncompressed meta-block of Brotli (RFC 7932, 9.2),
a raw block of Zstandard (RFC 8878, 3.1.1.2). All of them take at least 60,000 bytes.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import brotli  # type: ignore[import-untyped]
import zstandard
from starlette_compress._utils import parse_accept_encoding  # the very negotiation of CompressMiddleware

_LEVEL = 4  # as CompressMiddleware has it
_LONGEST = 256  # of the headers that are remembered
_GZIP = 31  # zlib's window bits for a gzip header around it


def negotiated(accepted: bytes) -> str:
    """The encoding that a value of Accept-Encoding gets, empty for none."""
    return _remembered(accepted) if len(accepted) <= _LONGEST else _negotiate(accepted)


def _negotiate(accepted: bytes) -> str:
    offered = parse_accept_encoding(accepted.decode("latin-1"))
    return next((encoding for encoding in ("zstd", "br", "gzip") if encoding in offered), "")


_remembered = lru_cache(256)(_negotiate)


@dataclass(frozen=True, slots=True)
class Open:
    """A compressed body without its end. `end` returns what follows `head` for a tail."""

    head: bytes
    end: Callable[[bytes], bytes]


def compressed(stable: bytes, encoding: str) -> Open:
    """`stable` is not empty. Raises KeyError for an encoding that we do not make."""
    return _FORMATS[encoding](stable)


def _identity(stable: bytes) -> Open:
    return Open(stable, lambda tail: tail)


def _gzip(stable: bytes) -> Open:
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    head = packer.compress(stable) + packer.flush(zlib.Z_SYNC_FLUSH)
    return Open(head, partial(_gzip_end, zlib.crc32(stable), len(stable)))


def _gzip_end(checksum: int, size: int, tail: bytes) -> bytes:
    length = len(tail).to_bytes(2, "little") + (len(tail) ^ 0xFFFF).to_bytes(2, "little")
    trailer = zlib.crc32(tail, checksum).to_bytes(4, "little") + ((size + len(tail)) % 2**32).to_bytes(4, "little")
    return b"\x01" + length + tail + trailer


def _brotli(stable: bytes) -> Open:
    packer = brotli.Compressor(quality=_LEVEL)
    return Open(packer.process(stable) + packer.flush(), _brotli_end)


def _brotli_end(tail: bytes) -> bytes:
    return ((len(tail) - 1) << 3 | 1 << 19).to_bytes(3, "little") + tail + b"\x03"


def _zstd(stable: bytes) -> Open:
    packer = zstandard.ZstdCompressor(level=_LEVEL, write_content_size=False, write_checksum=False).compressobj()
    return Open(packer.compress(stable) + packer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK), _zstd_end)


def _zstd_end(tail: bytes) -> bytes:
    return (len(tail) << 3 | 1).to_bytes(3, "little") + tail


_FORMATS: dict[str, Callable[[bytes], Open]] = {"": _identity, "gzip": _gzip, "br": _brotli, "zstd": _zstd}
