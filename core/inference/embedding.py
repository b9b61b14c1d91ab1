"""Texts as vectors, by static embeddings: each token has a vector, and a text is the mean of those of its tokens.

Weights and tokenizer are files of the wheel `wordllama`; nothing of it is imported (docs/adr/0027). What needs numpy
or the tokenizer is loaded where an `Embedder` is made: in a thread, after the server serves.
"""

import hashlib
import json
import mmap
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import Unavailable
from core.inference.provenance import Provenance

if TYPE_CHECKING:
    import numpy as np

MODEL = "wordllama-l2-supercat-256"
DIMENSIONS = 256
MAX_TEXT = 4_000  # characters: of a megabyte the tokenizer takes half a second, and what comes late says little
_PACKAGE = "wordllama"
_WEIGHTS, _TOKENIZER = "weights/l2_supercat_256.safetensors", "tokenizers/l2_supercat_tokenizer_config.json"
_TENSOR = "embedding.weight"


class EmbeddingsUnavailable(Unavailable):
    """The vectors of words cannot be loaded on this server. Something simpler answers where that is possible."""

    code = "embeddings_unavailable"
    title = "Embeddings unavailable"


@dataclass(frozen=True, slots=True)
class ModelFiles:
    weights: Path
    tokenizer: Path


def model_files() -> ModelFiles:
    """Raises EmbeddingsUnavailable."""
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise EmbeddingsUnavailable(f"the package {_PACKAGE} is not installed")
    folder = Path(spec.origin).parent
    return ModelFiles(folder / _WEIGHTS, folder / _TOKENIZER)


@cache
def identity() -> Provenance:
    """Which model this process has, by the content of both files. Reads 18 MB the first time: call it in a thread.
    Raises EmbeddingsUnavailable.
    """
    files = model_files()
    digest = hashlib.sha256()
    try:
        for path in (files.weights, files.tokenizer):
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    except OSError as error:
        raise EmbeddingsUnavailable(f"{MODEL} cannot be read: {error.strerror}") from error
    return Provenance(MODEL, version(_PACKAGE), f"sha256:{digest.hexdigest()}")


class Embedder:
    """Per process, for any number of threads. Its weights are mapped from their file, which all processes share."""

    def __init__(self, files: ModelFiles | None = None) -> None:
        """Takes 50 ms. Raises EmbeddingsUnavailable."""
        from tokenizers import Tokenizer  # noqa: PLC0415  heavy, as numpy

        files = files or model_files()
        try:
            tokenizer: Any = Tokenizer.from_file(str(files.tokenizer))
            self._weights = _mapped(files.weights)
        except Exception as error:  # the tokenizer raises nothing narrower
            raise EmbeddingsUnavailable(f"{MODEL} cannot be loaded: {type(error).__name__}: {error}") from error
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self._tokenizer = tokenizer

    def embed(self, texts: Sequence[str]) -> "np.ndarray[Any, np.dtype[np.float32]]":
        """A row for each text, of length 1; of zeros for a text without a token. Case makes no difference."""
        import numpy as np  # noqa: PLC0415

        # A lone surrogate is not text, and the tokenizer refuses it; spaces alone would be a token.
        cut = [text[:MAX_TEXT].lower().strip().encode("utf-8", "replace").decode() for text in texts]
        rows: np.ndarray[Any, np.dtype[np.float32]] = np.zeros((len(cut), DIMENSIONS), np.float32)
        # The one call of the tokenizer's that lets other threads run meanwhile.
        for row, encoded in zip(rows, self._tokenizer.encode_batch_fast(cut, add_special_tokens=False), strict=True):
            if encoded.ids:
                self._weights[encoded.ids].mean(axis=0, dtype=np.float32, out=row)
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        np.divide(rows, lengths, out=rows, where=lengths > 0)
        return rows


def _mapped(path: Path) -> "np.ndarray[Any, np.dtype[np.float16]]":
    """The one tensor of a safetensors file (huggingface.co/docs/safetensors: length of the header, header, data).

    Raises OSError, ValueError, KeyError, struct.error.
    """
    import numpy as np  # noqa: PLC0415

    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > mmap.PAGESIZE:
            raise ValueError("its header is too long")
        tensor = json.loads(file.read(length))[_TENSOR]
    if tensor["dtype"] != "F16" or tensor["shape"][1] != DIMENSIONS:
        raise ValueError(f"it has {tensor['dtype']} {tensor['shape']}")
    return np.memmap(path, "<f2", "r", 8 + length + tensor["data_offsets"][0], tuple(tensor["shape"]))
