"""A file as it comes in: a form's part or the body itself, spooled to disk, so that a slow upload holds no memory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, cast

from fastapi import Request
from starlette.datastructures import UploadFile

from core.errors import FieldError, Invalid
from core.web.errors import ContentTooLarge, UnsupportedMediaType

MAX_FILE_BYTES = 20 * 1024 * 1024
MAX_BODY_BYTES = MAX_FILE_BYTES + 64 * 1024  # with what a form puts around it
_IN_MEMORY = 1024 * 1024  # as Starlette does with the files of forms
_BINARY = {"type": "string", "format": "binary"}
# What FastAPI cannot see in the signature, as the operation reads its body itself.
REQUEST_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {
                    "file": {**_BINARY, "description": "The image, at most 20 MB."},
                    "alt": {"type": "string", "description": "What it shows, for who cannot see it."},
                },
            },
        },
        **{f"image/{kind}": {"schema": _BINARY} for kind in ("jpeg", "png", "webp", "gif", "avif")},
    },
}


@dataclass(frozen=True, slots=True)
class Received:
    """`declared` is the Content-Type that the file came with, without parameters; None where it says nothing."""

    file: UploadFile
    alt: str | None
    declared: str | None

    async def read(self) -> bytes:
        return await self.file.read()


@asynccontextmanager
async def received(request: Request) -> AsyncIterator[Received]:
    """Raises UnsupportedMediaType, ContentTooLarge, Invalid for a form without a file."""
    media_type = _media_type(request.headers.get("content-type"))
    if request.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise UnsupportedMediaType("images are compressed already: send them without Content-Encoding")
    if media_type == "multipart/form-data":
        async with request.form(max_files=1, max_fields=4) as form:
            file, alt = form.get("file"), form.get("alt")
            if not isinstance(file, UploadFile):
                fault = FieldError("/file", "missing", "the form has no file under this name")
                raise Invalid(fault.message, errors=(fault,))
            _require_size(file.size or 0)
            yield Received(file, alt if isinstance(alt, str) else None, _media_type(file.content_type))
    elif media_type is not None and (media_type.startswith("image/") or media_type == "application/octet-stream"):
        spool = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115  closed below
        file = UploadFile(cast("BinaryIO", spool), size=0)
        try:
            async for chunk in request.stream():
                await file.write(chunk)
                _require_size(file.size or 0)
            await file.seek(0)
            yield Received(file, None, media_type)
        finally:
            await file.close()
    else:
        raise UnsupportedMediaType("send the image as it is, as image/..., or as `file` in multipart/form-data")


def _require_size(size: int) -> None:
    if size > MAX_FILE_BYTES:
        raise ContentTooLarge(f"at most {MAX_FILE_BYTES} bytes are taken")


def _media_type(header: str | None) -> str | None:
    return (header or "").partition(";")[0].strip().lower() or None
