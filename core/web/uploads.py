"""Files that are sent to us: written to disk as they come, whatever their size, inflated where they are zipped."""

import hashlib
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from starlette.datastructures import UploadFile
from starlette.requests import Request

from core.drafts import draft
from core.errors import FieldError, Invalid
from core.threads import in_thread
from core.web.bodies import is_gzipped
from core.web.errors import ContentTooLarge, UnsupportedMediaType

_GZIP = b"\x1f\x8b"  # RFC 1952; no text begins with it
_CHUNK = 256 * 1024


@dataclass(frozen=True, slots=True)
class Upload:
    """A whole file. `name` and `media_type` are what the sender says."""

    file: BinaryIO
    size: int
    sha256: str
    name: str
    media_type: str


@asynccontextmanager
async def spooled(request: Request, folder: Path, *, limit: int) -> AsyncIterator[Upload]:
    """The body, or its part `file` where it is multipart, as a draft on the folder's disk; at most `limit` bytes of it.

    Raises ContentTooLarge, UnsupportedMediaType, Invalid.
    """
    async with draft(folder) as file:
        yield await _received(request, file, limit)


async def _received(request: Request, file: BinaryIO, limit: int) -> Upload:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    zipped = is_gzipped(request)
    if media_type != "multipart/form-data":
        sink = await _filled(_Sink(file, limit, zipped=zipped), request.stream())
        return Upload(file, sink.size, sink.digest.hexdigest(), "", media_type)
    if zipped:
        raise UnsupportedMediaType("a multipart body is not read zipped; zip the file in it")
    async with request.form(max_files=1, max_fields=10) as form:
        part = form.get("file")
        if not isinstance(part, UploadFile):
            raise Invalid("a file is needed", errors=(FieldError("/file", "required", "is a file"),))
        sink = await _filled(_Sink(file, limit, zipped=False), _chunks(part))
        own = (part.content_type or "").partition(";")[0].strip().lower()
        return Upload(file, sink.size, sink.digest.hexdigest(), part.filename or "", own)


async def _chunks(file: UploadFile) -> AsyncIterator[bytes]:
    while chunk := await file.read(_CHUNK):
        yield chunk


async def _filled(sink: "_Sink", chunks: AsyncIterator[bytes]) -> "_Sink":
    async for chunk in chunks:
        await in_thread(sink.take, chunk)
    await in_thread(sink.finish)
    return sink


class _Sink:
    """Writes what it takes; inflates it where that is said, or where it begins as a gzip file does."""

    def __init__(self, file: BinaryIO, limit: int, *, zipped: bool) -> None:
        self.size = 0
        self.digest = hashlib.sha256()
        self._file = file
        self._limit = limit
        self._inflater = zlib.decompressobj(wbits=31) if zipped else None
        self._head: bytes | None = b""  # until it is known what it is

    def take(self, chunk: bytes) -> None:
        if self._head is not None:
            chunk = self._head + chunk
            if len(chunk) < len(_GZIP):
                self._head = chunk
                return
            self._head = None
            if self._inflater is None and chunk.startswith(_GZIP):
                self._inflater = zlib.decompressobj(wbits=31)
        self._put(chunk)

    def finish(self) -> None:
        if self._head:
            self._put(self._head)
        if self._inflater is not None and not self._inflater.eof:
            raise UnsupportedMediaType("the gzip file is cut short")

    def _put(self, chunk: bytes) -> None:
        if self._inflater is None:
            self._write(chunk)
            return
        try:
            while chunk:
                if self._inflater.eof:
                    raise UnsupportedMediaType("something stands after the gzip file")
                self._write(self._inflater.decompress(chunk, _CHUNK))
                chunk = self._inflater.unconsumed_tail or self._inflater.unused_data
        except zlib.error:
            raise UnsupportedMediaType("the gzip file is damaged, or is none") from None

    def _write(self, data: bytes) -> None:
        self.size += len(data)
        if self.size > self._limit:
            raise ContentTooLarge(f"the file has more than {self._limit} bytes")
        self.digest.update(data)
        self._file.write(data)
