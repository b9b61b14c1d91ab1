"""Files that are sent to us: written to disk as they come, whatever their size, inflated where they are zipped."""

import hashlib
import os
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from anyio import to_thread
from starlette.datastructures import UploadFile
from starlette.requests import Request

from core.errors import FieldError, Invalid
from core.web.bodies import is_gzipped
from core.web.errors import ContentTooLarge, UnsupportedMediaType

DRAFT = ".draft-"  # how names begin of files that are not whole
_GZIP = b"\x1f\x8b"  # RFC 1952; no text begins with it
_CHUNK = 256 * 1024


@dataclass(frozen=True, slots=True)
class Upload:
    """A whole file on disk, which is the caller's from here on. `name` and `media_type` are what the sender says."""

    path: Path
    size: int
    sha256: str
    name: str
    media_type: str


async def spool(request: Request, folder: Path, *, limit: int) -> Upload:
    """The body, or its part `file` where it is multipart, as a new file in the folder; at most `limit` bytes of it.

    Raises ContentTooLarge, UnsupportedMediaType, Invalid.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    zipped = is_gzipped(request)
    if media_type != "multipart/form-data":
        return await _write(request.stream(), folder, limit, zipped=zipped, name="", media_type=media_type)
    if zipped:
        raise UnsupportedMediaType("a multipart body is not read zipped; zip the file in it")
    async with request.form(max_files=1, max_fields=10) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise Invalid("a file is needed", errors=(FieldError("/file", "required", "is a file"),))
        own = (file.content_type or "").partition(";")[0].strip().lower()
        return await _write(_chunks(file), folder, limit, zipped=False, name=file.filename or "", media_type=own)


async def _chunks(file: UploadFile) -> AsyncIterator[bytes]:
    while chunk := await file.read(_CHUNK):
        yield chunk


async def _write(
    chunks: AsyncIterator[bytes], folder: Path, limit: int, *, zipped: bool, name: str, media_type: str
) -> Upload:
    await to_thread.run_sync(partial(folder.mkdir, parents=True, exist_ok=True))
    with NamedTemporaryFile(dir=folder, prefix=DRAFT, delete=False) as made:
        try:
            sink = _Sink(made, limit, zipped=zipped)
            async for chunk in chunks:
                await to_thread.run_sync(sink.take, chunk)
            await to_thread.run_sync(sink.finish)
        except BaseException:
            os.unlink(made.name)  # noqa: PTH108  at once, also where this task is cancelled
            raise
    return Upload(Path(made.name), sink.size, sink.digest.hexdigest(), name, media_type)


class _Sink:
    """Writes what it takes; inflates it where that is said, or where it begins as a gzip file does."""

    def __init__(self, file: IO[bytes], limit: int, *, zipped: bool) -> None:
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
        """On disk when it returns."""
        if self._head:
            self._put(self._head)
        if self._inflater is not None and not self._inflater.eof:
            raise UnsupportedMediaType("the gzip file is cut short")
        self._file.flush()
        os.fsync(self._file.fileno())

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
