"""Static files, read once: a pure ASGI app over bytes in memory, with ETag, gzip, ranges and immutable hashed names.
What nobody asks for is not in memory: documentation pages take megabytes.

`/app.css` revalidates; `/app.1f3a5c7e.css`, the address that `path()` gives, never changes and is cached for a year.
"""

import gzip
import hashlib
import mimetypes
import re
from dataclasses import dataclass, field
from functools import partial
from io import BufferedReader, BytesIO
from pathlib import Path

from anyio import to_thread
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from core.errors import NotFound
from core.web.conditional import is_current
from core.web.middleware.flags import refuse_if_off
from core.web.ranges import file_response, wanted_range

_COMPRESSIBLE = {".css", ".js", ".svg", ".html", ".json", ".txt", ".map"}

_NOUGHT = re.compile(r"q=0(\.0*)?")


@dataclass(slots=True)
class _File:
    path: Path
    media_type: str
    digest: str
    compressible: bool
    kept: bytes | None = field(default=None)
    zipped: bytes | None = field(default=None)

    async def body(self) -> bytes:
        """Raises NotFound where it is another file than at the start: its address stands for what it was."""
        if self.kept is None:
            body = await to_thread.run_sync(self.path.read_bytes)
            if _digest(BytesIO(body)) != self.digest:
                raise NotFound("the file was changed while the server runs")
            self.kept = body
        return self.kept


class HashedFiles:
    """Per process. `folders` maps a path prefix (`""` for none) to a folder whose files are served below it."""

    def __init__(self, folders: dict[str, Path]) -> None:
        self._files: dict[str, _File] = {}
        self._hashed: dict[str, str] = {}
        for prefix, folder in folders.items():
            for path in sorted(folder.rglob("*")):
                if path.is_file() and path.suffix != ".py":
                    self._load("/".join(part for part in (prefix, path.relative_to(folder).as_posix()) if part), path)

    def _load(self, name: str, path: Path) -> None:
        with path.open("rb") as content:
            digest = _digest(content)
        media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        self._files[name] = _File(path, media_type, digest, path.suffix in _COMPRESSIBLE)
        stem, _, ending = name.rpartition(".")
        self._hashed[f"{stem}.{digest}.{ending}"] = name

    def path(self, name: str) -> str:
        """The immutable address of a file, relative to the mount. Raises KeyError for a file that is not there."""
        stem, _, ending = name.rpartition(".")
        return f"{stem}.{self._files[name].digest}.{ending}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refuse_if_off(scope)
        if scope["type"] != "http":
            raise NotFound
        if scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(405, headers={"Allow": "GET, HEAD"})
        requested = scope["path"].removeprefix(scope.get("root_path", "")).lstrip("/")
        name = self._hashed.get(requested, requested)
        file = self._files.get(name)
        if file is None:
            raise NotFound("no such file")
        response = await self._respond(scope, file, immutable=requested != name)
        await response(scope, receive, send)

    async def _respond(self, scope: Scope, file: _File, *, immutable: bool) -> Response:
        request = {name: value.decode("latin-1") for name, value in scope["headers"]}
        zips = file.compressible and _takes_gzip(request.get(b"accept-encoding", ""))
        # Strong for the bytes themselves, of which alone there are ranges; the same, but weak, for them zipped.
        tag = f'"{file.digest}"'
        headers = {
            "ETag": f"W/{tag}" if zips else tag,
            "Cache-Control": "public, max-age=31536000, immutable" if immutable else "public, no-cache",
            "Vary": "Accept-Encoding",
        }
        if is_current(request.get(b"if-none-match"), tag):
            return Response(status_code=304, headers=headers)
        body = await file.body()
        bounds = wanted_range(scope, len(body), tag)
        if bounds is not None:
            headers["ETag"] = tag
        elif zips:
            if file.zipped is None:
                file.zipped = await to_thread.run_sync(gzip.compress, body, 6)
            body = file.zipped
            headers["Content-Encoding"] = "gzip"
        return file_response(scope, body, bounds, media_type=file.media_type, headers=headers)


def _digest(content: BufferedReader | BytesIO) -> str:
    return hashlib.file_digest(content, partial(hashlib.blake2b, digest_size=8)).hexdigest()


def _takes_gzip(accept_encoding: str) -> bool:
    """RFC 9110, 12.5.3: a weight of nought refuses."""
    for coding in accept_encoding.lower().split(","):
        name, _, weight = coding.partition(";")
        if name.strip() == "gzip":
            return not _NOUGHT.fullmatch(weight.strip())
    return False
