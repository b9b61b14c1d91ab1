"""Vectors of int8 with a scale each: how they are made, kept in a file that processes share, and searched.

A file is a header and records in the order of their ids. It is written whole under another name, and mapped into the
memory of each process that searches it: the system holds it once. Needs numpy: import it where numpy may be loaded.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np

Array = np.ndarray[Any, Any]
_MAGIC = b"PORTICOV"
_HEADER = 512  # bytes, with the magic: a fixed place, so that it is written when the records are
_ID_BYTES = 32  # a TypeID has at most 31 here
_AT_ONCE = 2_048  # rows, turned into float32 for the product: they stay in the processor's cache
_CHECKED_AT_ONCE = 4 * 1024 * 1024


class MatrixRefused(Exception):
    """A file that cannot be searched; the text says why."""


class Near(NamedTuple):
    """`score`: the cosine, 1 for the same direction."""

    id: str
    score: float


@dataclass(frozen=True, slots=True)
class Quantised:
    """Rows of int8: each times its scale is the vector, to within half a scale."""

    rows: Array
    scales: Array


def quantise(vectors: Array) -> Quantised:
    """With a scale a row, by its largest number. A row of zeros stays one."""
    scales = np.abs(vectors).max(axis=1) / 127 if len(vectors) else np.zeros(0)
    divisors = np.where(scales > 0, scales, 1)[:, None]
    return Quantised(np.rint(vectors / divisors).astype(np.int8), scales.astype(np.float32))


@dataclass(frozen=True, slots=True)
class Header:
    """`model`: whose vectors these are. `version`: of what they were read from."""

    model: str
    version: int
    dimensions: int
    count: int


class MatrixWriter:
    """`with MatrixWriter(...) as writer:` After `finish` the file is there, whole; without it nothing is."""

    def __init__(self, path: Path, *, model: str, version: int, dimensions: int) -> None:
        self._path = path
        self._made = path.with_name(f"{path.name}.{os.getpid()}.part")
        self._header = Header(model, version, dimensions, 0)
        self._digest = hashlib.sha256()
        self._count = 0

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._made.open("wb")
        self._file.write(bytes(_HEADER))
        return self

    def add(self, ids: Sequence[str], vectors: Sequence[bytes], scales: Sequence[float]) -> None:
        """In the order of ids, over all calls."""
        records = np.zeros(len(ids), _record(self._header.dimensions))
        records["id"] = [each.encode() for each in ids]
        records["scale"] = scales
        records["row"] = np.frombuffer(b"".join(vectors), np.int8).reshape(len(ids), -1)
        data = records.tobytes()
        self._digest.update(data)
        self._file.write(data)
        self._count += len(ids)

    def finish(self) -> None:
        header = Header(self._header.model, self._header.version, self._header.dimensions, self._count)
        self._file.seek(0)
        self._file.write(_header_bytes(header, self._digest))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._made.rename(self._path)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._made.unlink(missing_ok=True)


class Matrix:
    """A file, mapped. It goes on after the file was removed."""

    def __init__(self, path: Path, *, model: str, dimensions: int) -> None:
        """Reads all of it once, to check it: it is in the system's memory then. Raises MatrixRefused."""
        try:
            self.header = _checked(path, model, dimensions)
            size = (self.header.count,)
            # numpy maps no file of nothing.
            self._records = (
                np.memmap(path, _record(dimensions), "r", _HEADER, size)
                if self.header.count
                else np.zeros(0, _record(dimensions))
            )
        except OSError as error:
            raise MatrixRefused(str(error.strerror)) from error

    def __len__(self) -> int:
        return self.header.count

    def places_of(self, ids: Sequence[str]) -> Array:
        """Where the records of those are that it has."""
        sought = np.array([each.encode() for each in ids], f"S{_ID_BYTES}")
        places = np.searchsorted(self._records["id"], sought)
        inside = places < len(self)
        places, sought = places[inside], sought[inside]
        found: Array = places[self._records["id"][places] == sought]
        return found

    def nearest(self, query: Array, limit: int, *, without: Array) -> list[Near]:
        """The best first; `without` are places, of `places_of`."""
        found = scores(self._records["row"], self._records["scale"], query)
        found[without] = -np.inf
        return [Near(self._records["id"][place].decode(), score) for place, score in _best(found, limit)]

    def vector_of(self, product_id: str) -> Array | None:
        places = self.places_of([product_id])
        if not len(places):
            return None
        found: Array = self._records["row"][places[0]] * self._records["scale"][places[0]]
        return found


@dataclass(frozen=True, slots=True)
class Few:
    """Vectors in memory: those that changed after a matrix was written."""

    ids: tuple[str, ...]
    vectors: Quantised

    def nearest(self, query: Array, limit: int) -> list[Near]:
        found = scores(self.vectors.rows, self.vectors.scales, query)
        return [Near(self.ids[place], score) for place, score in _best(found, limit)]

    def vector_of(self, product_id: str) -> Array | None:
        if product_id not in self.ids:
            return None
        place = self.ids.index(product_id)
        found: Array = self.vectors.rows[place] * self.vectors.scales[place]
        return found


def scores(rows: Array, scales: Array, query: Array) -> Array:
    """Of each row with the query; exact, of what int8 kept. Other threads run meanwhile."""
    found = np.empty(len(rows), np.float32)
    buffer = np.empty((_AT_ONCE, rows.shape[1]), np.float32)
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        part = buffer[: len(some)]
        np.copyto(part, some)
        np.dot(part, query, out=found[start : start + _AT_ONCE])
    found *= scales
    return found


def _best(found: Array, limit: int) -> list[tuple[int, float]]:
    """Places and scores, the highest first; of equal ones the last in the order of ids, which is the newest."""
    places = np.arange(len(found))
    if len(found) > limit:
        places = np.argpartition(found, len(found) - limit)[-limit:]
    ordered = places[np.lexsort((places, found[places]))[::-1]]
    return [(int(place), float(found[place])) for place in ordered if np.isfinite(found[place])]


def _record(dimensions: int) -> np.dtype[Any]:
    return np.dtype([("id", f"S{_ID_BYTES}"), ("scale", "<f4"), ("row", "i1", (dimensions,))])


def _header_bytes(header: Header, digest: Any) -> bytes:
    """The digest of the records goes on over what the header says."""
    said = asdict(header)
    digest.update(json.dumps(said, sort_keys=True).encode())
    text = json.dumps(said | {"sha256": digest.hexdigest()}).encode()
    return _MAGIC + text.ljust(_HEADER - len(_MAGIC))


def _checked(path: Path, model: str, dimensions: int) -> Header:
    """Raises MatrixRefused, OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        first = file.read(_HEADER)
        try:
            said = json.loads(first[len(_MAGIC) :])
            expected, header = said.pop("sha256"), Header(**said)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise MatrixRefused("it has no header") from error
        if first[: len(_MAGIC)] != _MAGIC or (header.model, header.dimensions) != (model, dimensions):
            raise MatrixRefused(f"it is of the model {header.model!s:.100}")
        while some := file.read(_CHECKED_AT_ONCE):
            digest.update(some)
        size = file.tell() - _HEADER
    if size != header.count * _record(dimensions).itemsize:
        raise MatrixRefused(f"{size} bytes do not make {header.count} records")
    if _header_bytes(header, digest) != first:
        raise MatrixRefused(f"its digest is not {expected!s:.64}")
    return header
